/**
 * Sends a file in parts, several at a time, to URLs that are signed one by one.
 *
 * A part that fails is tried again with growing pauses; a URL that has run out is
 * signed anew; stored parts are never sent twice. The functions that use the
 * network are passed in, so that all of this runs under Node.
 */

import { backoff, sleep } from "#lib/backoff";

const TRIES = 8;

/** The end of an upload: ``word`` names the sentence. */
export class UploadError extends Error {
  /** @param {"lost" | "ended" | "unreadable"} word */
  constructor(word) {
    super(word);
    this.name = "UploadError";
    this.word = word;
  }
}

/** An answer that is not the storage's yes; ``status`` 0 is no answer at all. */
export class PartError extends Error {
  /** @param {number} status */
  constructor(status) {
    super(`part refused: ${status}`);
    this.name = "PartError";
    this.status = status;
  }
}

/**
 * @typedef {{number: number, etag: string}} Part
 * @typedef {{
 *   file: {size: number, slice: (start: number, end: number) => Blob},
 *   partSize: number,
 *   partCount: number,
 *   urls?: {number: number, url: string}[],
 *   uploaded?: Part[],
 *   sign: (numbers: number[]) => Promise<{number: number, url: string}[]>,
 *   put: (url: string, body: Blob, options: {signal: AbortSignal, onProgress: (bytes: number) => void}) => Promise<string>,
 *   onProgress?: (bytes: number) => void,
 *   parallel?: number,
 *   pause?: (ms: number, signal: AbortSignal) => Promise<void>,
 *   untilOnline?: (signal: AbortSignal) => Promise<void>,
 * }} Options
 */

const SIGN_AT_ONCE = 20;

export class MultipartUpload {
  /** @param {Options} options */
  constructor({ file, partSize, partCount, urls = [], uploaded = [], sign, put, ...rest }) {
    this.file = file;
    this.partSize = partSize;
    this.partCount = partCount;
    this.sign = sign;
    this.put = put;
    this.onProgress = rest.onProgress ?? (() => {});
    this.parallel = rest.parallel ?? 4;
    this.pauseFor = rest.pause ?? sleep;
    this.untilOnline = rest.untilOnline ?? (async () => {});
    this.urls = new Map(urls.map(({ number, url }) => [number, url]));
    this.etags = new Map(uploaded.map(({ number, etag }) => [number, etag]));
    this.tries = new Map();
    this.underWay = new Map(); // part → bytes sent of it
    this.waiting = Array.from({ length: partCount }, (_, i) => i + 1).filter((number) => !this.etags.has(number));
    this.stop = new AbortController();
    this.isPaused = false;
  }

  /** Bytes that have arrived or are on their way. */
  get sent() {
    let bytes = 0;
    for (const number of this.etags.keys()) bytes += this.sizeOf(number);
    for (const part of this.underWay.values()) bytes += part;
    return bytes;
  }

  /** @param {number} number from 1 */
  sizeOf(number) {
    return Math.min(this.partSize, this.file.size - (number - 1) * this.partSize);
  }

  /**
   * Send the missing parts. A pause stops it with an AbortError; run it again to resume.
   * @returns {Promise<Part[]>} every part, in order
   */
  async run() {
    this.stop = new AbortController();
    this.onProgress(this.sent);
    const lanes = Array.from({ length: Math.min(this.parallel, this.waiting.length) }, () => this.lane());
    try {
      await Promise.all(lanes);
    } catch (error) {
      this.stop.abort(error);
      await Promise.allSettled(lanes);
      throw error;
    }
    return [...this.etags].map(([number, etag]) => ({ number, etag })).sort((a, b) => a.number - b.number);
  }

  /** Stop sending; stored parts stay. */
  halt() {
    this.stop.abort(new DOMException("halted", "AbortError"));
  }

  async lane() {
    while (this.waiting.length) {
      const number = this.waiting.shift();
      try {
        await this.sendPart(number);
      } catch (error) {
        this.waiting.unshift(number);
        this.stop.signal.throwIfAborted();
        await this.afterFailure(number, error);
      }
    }
  }

  /** @param {number} number */
  async sendPart(number) {
    const { signal } = this.stop;
    signal.throwIfAborted();
    const url = this.urls.get(number) ?? (await this.signed(number));
    const start = (number - 1) * this.partSize;
    const body = this.file.slice(start, start + this.sizeOf(number));
    const onProgress = (/** @type {number} */ bytes) => {
      this.underWay.set(number, bytes);
      this.onProgress(this.sent);
    };
    try {
      const etag = await this.put(url, body, { signal, onProgress });
      this.etags.set(number, etag);
    } finally {
      this.underWay.delete(number);
      this.onProgress(this.sent);
    }
  }

  /** @param {number} number */
  async signed(number) {
    const numbers = [number, ...this.waiting.filter((other) => !this.urls.has(other)).slice(0, SIGN_AT_ONCE - 1)];
    for (const signed of await this.sign(numbers)) this.urls.set(signed.number, signed.url);
    return this.urls.get(number);
  }

  /**
   * @param {number} number
   * @param {any} error
   */
  async afterFailure(number, error) {
    if (error instanceof UploadError) throw error;
    const { status } = error;
    if (status === 404 || status === 409 || status === 410) throw new UploadError("ended");
    if (status === 403) this.urls.delete(number); // run out: sign anew
    await this.checkReadable(number);
    const tries = (this.tries.get(number) ?? 0) + 1;
    this.tries.set(number, tries);
    if (tries >= TRIES) {
      this.tries.clear();
      throw error.name === "ApiError" ? error : new UploadError("lost"); // the API's has a sentence
    }
    await this.untilOnline(this.stop.signal);
    await this.pauseFor(backoff(tries - 1), this.stop.signal);
  }

  /**
   * Raise an UploadError if the file was moved, changed or deleted, which looks like a lost connection.
   * @param {number} number of the part
   */
  async checkReadable(number) {
    const start = (number - 1) * this.partSize;
    try {
      await this.file.slice(start, start + 1).arrayBuffer();
    } catch {
      throw new UploadError("unreadable");
    }
  }
}

/**
 * PUT a part by XMLHttpRequest, because fetch reports no progress of an upload.
 * @param {string} url
 * @param {Blob} body
 * @param {{signal: AbortSignal, onProgress: (bytes: number) => void}} options
 * @returns {Promise<string>} the ETag
 */
export function putPart(url, body, { signal, onProgress }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    request.open("PUT", url);
    request.upload.addEventListener("progress", ({ loaded }) => onProgress(loaded));
    request.addEventListener("loadend", () => {
      signal.removeEventListener("abort", abort);
      const etag = request.status === 200 ? request.getResponseHeader("ETag") : null;
      if (etag) resolve(etag.replaceAll('"', ""));
      else reject(signal.aborted ? signal.reason : new PartError(request.status));
    });
    signal.addEventListener("abort", abort, { once: true });
    request.send(body);
  });
}

/**
 * Return a promise that resolves at once, or when the connection is back.
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
export function untilOnline(signal) {
  if (navigator.onLine) return Promise.resolve();
  return new Promise((resolve, reject) => {
    window.addEventListener("online", () => resolve(), { once: true, signal });
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
