/** Full screen, turned as the video is: a phone that is held upright shows a wide video sideways. */

/**
 * @param {HTMLElement} player
 * @param {HTMLVideoElement} video
 */
export async function enterFullscreen(player, video) {
  if (!player.requestFullscreen) return video.webkitEnterFullscreen?.(); // iPhones know only the video itself
  try {
    await player.requestFullscreen();
    await lockOrientation(video);
  } catch {
    // Refused by the browser, or a screen that does not turn.
  }
  return undefined;
}

export async function leaveFullscreen() {
  globalThis.screen.orientation?.unlock?.();
  await document.exitFullscreen();
}

/** @param {HTMLVideoElement} video */
async function lockOrientation({ videoWidth, videoHeight }) {
  if (!videoWidth || videoWidth === videoHeight) return;
  await globalThis.screen.orientation?.lock?.(videoWidth > videoHeight ? "landscape" : "portrait");
}
