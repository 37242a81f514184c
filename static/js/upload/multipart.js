/**
 * Sends a file in parts, several at a time, to URLs that are signed one by one.
 *
 * A part that fails is tried again with growing pauses; a URL that has run out is
 * signed anew; stored parts are never sent twice. The functions that use the
 * network are passed in, so that all of this runs under Node.
 */

import { backoff, sleep } from "#lib/backoff";
import { LaneCount } from "#upload/lane-count";

const TRIES = 8;
// A line that moves no byte for so long is dead, although nobody closed it.
const STALLED_MS = 60_000;
// No answer, "slow down", "not now": fewer lanes may help.
const TOO_MUCH = new Set([0, 429, 503]);

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
 *   lanes?: LaneCount,
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
    this.lanes = rest.lanes ?? new LaneCount();
    this.pauseFor = rest.pause ?? sleep;
    this.untilOnline = rest.untilOnline ?? (async () => {});
    this.urls = new Map(urls.map(({ number, url }) => [number, url]));
    this.etags = new Map(uploaded.map(({ number, etag }) => [number, etag]));
    this.tries = new Map();
    this.underWay = new Map(); // part → bytes sent of it
    this.waiting = Array.from({ length: partCount }, (_, i) => i + 1).filter((number) => !this.etags.has(number));
    this.stop = new AbortController();
    /** @type {{resolve: (value?: unknown) => void, reject: (reason: unknown) => void}} */
    this.end = { resolve: () => {}, reject: () => {} };
    /** @type {Set<Promise<void>>} */
    this.running = new Set();
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
    this.running.clear();
    this.lanes.begin();
    this.onProgress(this.sent);
    try {
      await new Promise((resolve, reject) => {
        this.end = { resolve, reject };
        this.fill();
      });
    } catch (error) {
      this.stop.abort(error);
      await Promise.allSettled(this.running);
      throw error;
    }
    return [...this.etags].map(([number, etag]) => ({ number, etag })).sort((a, b) => a.number - b.number);
  }

  /** Stop sending; stored parts stay. */
  halt() {
    this.stop.abort(new DOMException("halted", "AbortError"));
  }

  /** Begin as many lanes as there may be; without a lane and a part, the upload is complete. */
  fill() {
    for (let free = Math.min(this.lanes.count - this.running.size, this.waiting.length); free > 0; free -= 1) {
      const lane = Promise.resolve().then(() => this.lane());
      this.running.add(lane);
      lane.then(() => {
        this.running.delete(lane);
        this.fill();
      }, this.end.reject);
    }
    if (!this.running.size) this.end.resolve();
  }

  async lane() {
    while (this.waiting.length && this.running.size <= this.lanes.count) {
      const number = this.waiting.shift();
      const startedAt = performance.now();
      try {
        await this.sendPart(number);
        this.lanes.stored(this.sizeOf(number), startedAt, performance.now());
        this.fill();
      } catch (error) {
        this.waiting.unshift(number);
        this.stop.signal.throwIfAborted();
        if (TOO_MUCH.has(error.status)) this.lanes.shrink(startedAt, performance.now());
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
    let stalled = setTimeout(abort, STALLED_MS);
    request.open("PUT", url);
    request.upload.addEventListener("progress", ({ loaded }) => {
      clearTimeout(stalled);
      stalled = setTimeout(abort, STALLED_MS);
      onProgress(loaded);
    });
    request.addEventListener("loadend", () => {
      clearTimeout(stalled);
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
