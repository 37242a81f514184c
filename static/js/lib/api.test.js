import assert from "node:assert/strict";
import { test } from "node:test";

import { install } from "#testing/dom";

install();
const { ApiError, call, cookie } = await import("#lib/api");

/** Answer the next requests with this, and return the requests. */
function answer({ status = 200, type = "application/json", content = {} } = {}) {
  const asked = [];
  globalThis.fetch = async (url, options) => {
    asked.push({ url, ...options });
    return { ok: status < 400, status, headers: new Headers({ "Content-Type": type }), json: async () => content };
  };
  return asked;
}

test("write is sent as JSON with the CSRF token of the session", async () => {
  const [asked] = [answer({ content: { id: "v1" } })];

  assert.deepEqual(await call("POST", "videos/", { title: "A" }), { id: "v1" });

  const [{ url, method, headers, body, credentials }] = asked;
  assert.deepEqual([method, url, body, credentials], ["POST", "/api/v1/videos/", '{"title":"A"}', "same-origin"]);
  assert.equal(headers["X-CSRFToken"], "token");
  assert.equal(headers["Content-Type"], "application/json");
});

test("read carries neither a token nor a body", async () => {
  const asked = answer();

  await call("GET", "videos/");

  assert.deepEqual(Object.keys(asked[0].headers), ["Accept"]);
  assert.equal(asked[0].body, undefined);
});

test("options of the request are passed on", async () => {
  const asked = answer();

  await call("POST", "videos/v1/views/", {}, { keepalive: true });

  assert.equal(asked[0].keepalive, true);
});

test("answer without JSON is null", async () => {
  answer({ status: 204, type: "" });

  assert.equal(await call("DELETE", "videos/v1/"), null);
});

test("refusal becomes an error with the first code and sentence", async () => {
  answer({ status: 429, content: { errors: [{ code: "throttled", detail: "Wait.", attr: null }, { code: "other", detail: "", attr: null }] } });

  await assert.rejects(call("GET", "videos/"), (error) => {
    assert.ok(error instanceof ApiError);
    assert.deepEqual([error.status, error.code, error.message, error.errors.length], [429, "throttled", "Wait.", 2]);
    return true;
  });
});

test("failure of a proxy is an error without a sentence", async () => {
  answer({ status: 502, type: "text/html" });

  await assert.rejects(call("GET", "videos/"), (error) => error instanceof ApiError && error.status === 502 && error.message === "");
});

test("cookie is found by its whole name and decoded", () => {
  document.cookie = "not_theme=1; theme=a%20b";

  assert.equal(cookie("theme"), "a b");
  assert.equal(cookie("heme"), "");
});

test("cookie of a sandboxed frame is empty", () => {
  Object.defineProperty(document, "cookie", {
    get() {
      throw new Error("SecurityError");
    },
  });

  assert.equal(cookie("theme"), "");
});
