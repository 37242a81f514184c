/**
 * The loader of segments that may not exist yet. While a video is encoded, its playlists name them by
 * an address of the site, which answers when the segment exists, with its place in the storage.
 */

import Hls from "hls.js";

// Longer than the site holds a request (videos/held_segments.py).
const PATIENCE_MS = 60_000;
const TOLD_AFTER_MS = 1000;
// Too many wait, or the segment takes longer: it will come.
const LATER = new Set([429, 503]);

/** @param {string} url  whether it is an address of the site and not of the storage */
export function isHeld(url) {
  return /\/hls\/[^/?]+\/[^/?]+\/(?:\d+\.m4s|init\.mp4)(?:\?|$)/.test(url);
}

/** The policy of hls.js for segments, except that one that will come is asked for without end. */
export function fragLoadPolicy() {
  const { default: policy } = Hls.DefaultConfig.fragLoadPolicy;
  return {
    default: {
      ...policy,
      errorRetry: {
        ...policy.errorRetry,
        /** @type {import("hls.js").RetryConfig["shouldRetry"]} */
        shouldRetry: (_config, _count, _isTimeout, response, retry) => retry || LATER.has(response?.code ?? 0),
      },
    },
  };
}

/** @type {typeof Hls.DefaultConfig.loader} */
const XhrLoader = Hls.DefaultConfig.loader;

export class HeldLoader extends XhrLoader {
  /** The loaders that have waited for so long that the viewer is told: a page has one player. */
  static held = new Set();
  static onHeld = () => {};

  /**
   * Wait for a segment that does not exist yet. The wait says nothing about the network, so the
   * download counts from its first byte: otherwise the quality would fall after each wait.
   * @param {import("hls.js").LoaderContext} context
   * @param {import("hls.js").LoaderConfiguration} config
   * @param {import("hls.js").LoaderCallbacks<import("hls.js").LoaderContext>} callbacks
   */
  load(context, config, callbacks) {
    if (!isHeld(context.url)) return super.load(context, config, callbacks);
    this.telling = setTimeout(() => this._tell(), TOLD_AFTER_MS);
    const loadPolicy = { ...config.loadPolicy, maxTimeToFirstByteMs: PATIENCE_MS };
    return super.load(context, { ...config, loadPolicy }, {
      ...callbacks,
      onSuccess: (response, stats, ...rest) => {
        this._release();
        stats.loading.start = stats.loading.first;
        callbacks.onSuccess(response, stats, ...rest);
      },
    });
  }

  abort() {
    this._release();
    super.abort();
  }

  destroy() {
    this._release();
    super.destroy();
  }

  _tell() {
    HeldLoader.held.add(this);
    HeldLoader.onHeld();
  }

  _release() {
    clearTimeout(this.telling);
    HeldLoader.held.delete(this);
  }
}
