/** The upload of a file for a video that exists: begun anew, or resumed with the parts that have arrived. */

import { wellFormed } from "#upload/figures";

/**
 * @typedef {{id: string, size: number}} Begun an upload that was begun before, by the id of its edition
 * @typedef {{id: string, partSize: number, partCount: number, urls?: {number: number, url: string}[],
 *   uploaded?: import("#upload/multipart").Part[]}} Opened
 */

/**
 * Return why ``file`` cannot replace the other one, as the name of a sentence, or "".
 * @param {{size: number}} file
 * @param {{begun: ?Begun, maxBytes: number}} known
 */
export function refusalOf(file, { begun, maxBytes }) {
  if (!file.size) return "empty";
  if (file.size > maxBytes) return "too-large";
  return begun && begun.size !== file.size ? "differs" : "";
}

/**
 * Begin the upload, or resume the one that was begun before.
 * @param {string} video
 * @param {{name: string, size: number}} file
 * @param {?Begun} begun
 * @param {(method: string, path: string, body?: object) => Promise<any>} call
 * @param {{path?: string, about?: object}} [use] the address below the video that begins it, and its further fields
 * @returns {Promise<Opened>}
 */
export async function open(video, file, begun, call, { path = "edition/upload/", about = {} } = {}) {
  if (begun) {
    const known = await call("GET", `videos/${begun.id}/upload/`);
    const { part_size_bytes: partSize, part_count: partCount, uploaded } = known;
    return { id: begun.id, partSize, partCount, uploaded };
  }
  const body = { ...about, filename: wellFormed(file.name), size_bytes: file.size };
  const { id, upload } = await call("POST", `videos/${video}/${path}`, body);
  return { id, partSize: upload.part_size_bytes, partCount: upload.part_count, urls: upload.parts };
}
