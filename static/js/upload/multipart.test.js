import assert from "node:assert/strict";
import { test } from "node:test";

import { MultipartUpload, PartError } from "#upload/multipart";

const PART = 8;

/** Lanes of a constant number. */
const fixed = (count) => ({ count, begin() {}, stored() {}, shrink() {} });

/** An upload of ``bytes`` against a storage that we play. */
function begin({ bytes = 30, put, ...options } = {}) {
  const stored = new Map();
  const signedFor = [];
  const keep = async (url, body) => {
    stored.set(url, await body.text());
    return `etag of ${url}`;
  };
  const upload = new MultipartUpload({
    file: new Blob(["x".repeat(bytes)]),
    partSize: PART,
    partCount: Math.ceil(bytes / PART),
    sign: async (numbers) => {
      signedFor.push(...numbers);
      return numbers.map((number) => ({ number, url: `/${number}` }));
    },
    put: put ? (url, body, context) => put(url, body, context, keep) : keep,
    pause: async () => {},
    ...options,
  });
  return { upload, stored, signedFor };
}

test("every part is sent once, the last one shorter, and the answer is in order", async () => {
  const { upload, stored } = begin();
  const parts = await upload.run();
  assert.deepEqual(parts.map((part) => part.number), [1, 2, 3, 4]);
  assert.deepEqual([...stored].sort().map(([, text]) => text.length), [8, 8, 8, 6]);
  assert.equal(upload.sent, 30);
});

test("stored part is not sent again", async () => {
  const { upload, stored } = begin({ uploaded: [{ number: 1, etag: "a" }, { number: 3, etag: "c" }] });
  const parts = await upload.run();
  assert.deepEqual([...stored.keys()].sort(), ["/2", "/4"]);
  assert.equal(parts[0].etag, "a");
});

test("no more parts are under way than the limit", async () => {
  let now = 0;
  let most = 0;
  const put = async (url, body, _context, keep) => {
    most = Math.max(most, (now += 1));
    await new Promise((resolve) => setTimeout(resolve, 2));
    now -= 1;
    return keep(url, body);
  };
  await begin({ bytes: 80, put, lanes: fixed(3) }).upload.run();
  assert.equal(most, 3);
});

test("lanes that are added send parts at once", async () => {
  const lanes = { ...fixed(1), stored: () => (lanes.count = 3) };
  let now = 0;
  let most = 0;
  const put = async (url, body, _context, keep) => {
    most = Math.max(most, (now += 1));
    await new Promise((resolve) => setTimeout(resolve, 2));
    now -= 1;
    return keep(url, body);
  };
  await begin({ bytes: 80, put, lanes }).upload.run();
  assert.equal(most, 3);
});

test("lane too many ends after its part", async () => {
  const lanes = fixed(4);
  let now = 0;
  const seen = [];
  const put = async (url, body, _context, keep) => {
    seen.push((now += 1));
    await new Promise((resolve) => setTimeout(resolve, 2));
    lanes.count = 1;
    now -= 1;
    return keep(url, body);
  };
  const parts = await begin({ bytes: 80, put, lanes }).upload.run();
  assert.equal(parts.length, 10);
  assert.deepEqual(seen.slice(4), [1, 1, 1, 1, 1, 1]);
});

test("storage that asks for less gets fewer lanes, and a refusal of other kinds changes none", async () => {
  for (const [status, expected] of [[0, 1], [429, 1], [503, 1], [500, 0]]) {
    let shrunk = 0;
    let failures = 1;
    const put = (url, body, _context, keep) => {
      if (failures-- > 0) throw new PartError(status);
      return keep(url, body);
    };
    await begin({ put, lanes: { ...fixed(2), shrink: () => (shrunk += 1) } }).upload.run();
    assert.equal(shrunk, expected, String(status));
  }
});

test("part that fails is tried again", async () => {
  let failures = 3;
  const put = (url, body, _context, keep) => {
    if (url === "/2" && failures > 0) {
      failures -= 1;
      throw new PartError(500);
    }
    return keep(url, body);
  };
  const parts = await begin({ put }).upload.run();
  assert.equal(parts.length, 4);
});

test("URL that has run out is signed anew", async () => {
  const put = (url, body, _context, keep) => {
    if (url === "/old") throw new PartError(403);
    return keep(url, body);
  };
  const { upload, signedFor } = begin({ put, urls: [1, 2, 3, 4].map((number) => ({ number, url: number === 2 ? "/old" : `/${number}` })) });
  await upload.run();
  assert.deepEqual(signedFor, [2]);
});

test("storage that never answers ends in a sentence, and can be tried again", async () => {
  let isDown = true;
  const put = (url, body, _context, keep) => {
    if (isDown) throw new PartError(0);
    return keep(url, body);
  };
  const { upload } = begin({ put });
  await assert.rejects(upload.run(), { word: "lost" });
  isDown = false;
  assert.equal((await upload.run()).length, 4);
});

test("refusal of the site that does not pass keeps its sentence", async () => {
  const refusal = Object.assign(new Error("There is no room."), { name: "ApiError", status: 503 });
  const sign = async () => {
    throw refusal;
  };
  await assert.rejects(begin({ sign }).upload.run(), refusal);
});

test("upload that the storage no longer knows has ended", async () => {
  const put = () => {
    throw new PartError(404);
  };
  await assert.rejects(begin({ put }).upload.run(), { word: "ended" });
});

test("file that can no longer be read is reported as unreadable", async () => {
  const file = { size: 30, slice: () => ({ arrayBuffer: () => Promise.reject(new Error("NotReadableError")) }) };
  const put = () => {
    throw new PartError(0);
  };
  await assert.rejects(begin({ put, file }).upload.run(), { word: "unreadable" });
});

test("halted, it stops; run again, it goes on where it was", async () => {
  const waiting = [];
  const put = (url, body, { signal }, keep) =>
    new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
      waiting.push(() => resolve(keep(url, body)));
    });
  const { upload, stored } = begin({ put, lanes: fixed(1) });
  const first = upload.run();
  await new Promise((resolve) => setTimeout(resolve, 1));
  waiting.shift()();
  await new Promise((resolve) => setTimeout(resolve, 5));
  upload.halt();
  await assert.rejects(first, { name: "AbortError" });
  assert.deepEqual([...stored.keys()], ["/1"]);

  const second = upload.run();
  const pump = setInterval(() => waiting.shift()?.(), 1);
  assert.deepEqual((await second).map((part) => part.number), [1, 2, 3, 4]);
  clearInterval(pump);
});
