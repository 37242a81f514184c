/** The place of the frames of a video inside its player, without a browser. */

/** @typedef {{top: number, right: number, bottom: number, left: number}} Insets  pixels from the player's edges */

/**
 * Return the insets of a ``picture`` that is fitted into a ``room`` as ``object-fit: contain`` does.
 * A picture of unknown size fills the room.
 * @param {{width: number, height: number}} room
 * @param {{width: number, height: number}} picture
 * @returns {Insets}
 */
export function frameBox(room, picture) {
  if (!picture.width || !picture.height || !room.width || !room.height) return { top: 0, right: 0, bottom: 0, left: 0 };
  const scale = Math.min(room.width / picture.width, room.height / picture.height);
  const inline = (room.width - picture.width * scale) / 2;
  const block = (room.height - picture.height * scale) / 2;
  return { top: block, right: inline, bottom: block, left: inline };
}
