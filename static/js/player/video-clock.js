/**
 * The clock of a video: its positions are those of the media element. While a video is being
 * encoded, a position beyond the encoded part is waited for.
 */

import { availableEnd, bufferedEnd, clampSeek, isBeyond, shownDuration } from "#player/timeline";
import { WantedTime } from "#player/wanted-time";

const NEAR_EDGE_S = 1.5;

export class VideoClock {
  /**
   * @param {{video: HTMLVideoElement, engine: {isGrowing: boolean}, probed_s: number, onChange: () => void, onPlay: () => void}} options
   *   ``probed_s`` is the duration of the source, 0 if unknown; ``onChange`` follows a seek or a
   *   wait; ``onPlay`` asks for playback after a wait
   */
  constructor({ video, engine, probed_s, onChange, onPlay }) {
    this.video = video;
    this.engine = engine;
    this.probed_s = probed_s;
    this.onChange = onChange;
    this.onPlay = onPlay;
    this.wanted = new WantedTime();
  }

  /** The speed of playback is free: everything has happened already. */
  get hasSpeeds() {
    return true;
  }

  get time() {
    return this.video.currentTime;
  }

  /** The position of the seek bar: the playhead's, or the one that is waited for. */
  get shownTime() {
    return this.wanted.seconds ?? this.time;
  }

  /** The position that is waited for, in seconds; null if there is none. */
  get awaited() {
    return this.wanted.seconds;
  }

  /** While a position is waited for, the media element is paused and the player may not be. */
  get isPaused() {
    return this.wanted.isPending ? !this.wanted.plays : this.video.paused;
  }

  get duration() {
    return shownDuration({ probed: this.probed_s, media: this.video.duration, isGrowing: this.engine.isGrowing });
  }

  /** The end of the part that can be sought, in seconds. */
  get available() {
    const { seekable, duration: media } = this.video;
    const seekableEnd = seekable.length ? seekable.end(seekable.length - 1) : 0;
    return availableEnd({ media, seekableEnd, duration: this.duration, isGrowing: this.engine.isGrowing });
  }

  /** The end of the buffered part around the playhead, in seconds. */
  get bufferedUntil() {
    return bufferedEnd(this.video.buffered, this.time);
  }

  /** Playback waits for the encoder, not for the network. */
  get isAtEncodedEdge() {
    return this.engine.isGrowing && this.time >= this.available - NEAR_EDGE_S;
  }

  /** Before the playlists are loaded, nobody can tell whether the rest is missing. */
  get isKnown() {
    return this.video.readyState >= HTMLMediaElement.HAVE_METADATA;
  }

  async play() {
    if (!this.wanted.isPending) return this.video.play();
    this.wanted.plays = true;
    return undefined;
  }

  pause() {
    this.wanted.plays = false;
    this.video.pause();
  }

  /** Keep the media element paused during a wait: lock screens and headsets start it directly. */
  hold() {
    if (!this.wanted.isPending) return;
    this.video.pause();
    this.wanted.plays = true;
  }

  /** @param {number} seconds */
  seekTo(seconds) {
    if (isBeyond(seconds, this)) this.waitFor(Math.min(seconds, this.duration));
    else this._goTo(clampSeek(seconds, this), this.wanted.isPending && this.wanted.plays);
  }

  /**
   * Pause until ``seconds`` is encoded. A seek to another position ends the wait.
   * @param {number} seconds
   */
  waitFor(seconds) {
    this.wanted.want(seconds, !this.video.paused);
    this.video.pause();
    this.onChange();
  }

  /** End the wait if more of the video is encoded now and includes the position. */
  arrive() {
    if (!this.wanted.isPending || !this.isKnown) return;
    const { plays } = this.wanted;
    const seconds = this.wanted.arrive(this);
    if (seconds !== null) this._goTo(seconds, plays);
  }

  get isGrowing() {
    return this.engine.isGrowing;
  }

  /**
   * @param {number} seconds
   * @param {boolean} plays
   */
  _goTo(seconds, plays) {
    this.wanted.drop();
    this.video.currentTime = seconds;
    if (plays) this.onPlay();
    this.onChange();
  }
}
