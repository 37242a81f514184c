import assert from "node:assert/strict";
import { test } from "node:test";

import { lengthOf, pieces } from "#chat/text";

test("addresses become links and the words around them stay text", () => {
  assert.deepEqual(pieces("see https://example.org/a?b=c, ok"), [
    { text: "see " },
    { text: "example.org/a?b=c", href: "https://example.org/a?b=c" },
    { text: ", ok" },
  ]);
  assert.deepEqual(pieces("看https://example.org/页。好"), [
    { text: "看" },
    { text: "example.org/页", href: "https://example.org/%E9%A1%B5" },
    { text: "。好" },
  ]);
});

test("nothing but http and https is a link, and nothing that hides where it leads", () => {
  for (const text of ["javascript:alert(1)", "data:text/html,x", "https://good.example@bad.example/", "http://localhost", "<b>x</b>"]) {
    assert.deepEqual(pieces(text), [{ text }]);
  }
});

test("long address is shown shortened and leads where it leads", () => {
  const [{ text, href }] = pieces(`https://example.org/${"a".repeat(100)}`);
  assert.equal(text.length, 60);
  assert.equal(href.length, 120);
});

test("bracket belongs to the address that opened it", () => {
  assert.equal(pieces("https://example.org/a_(b)")[0].href, "https://example.org/a_(b)");
  assert.equal(pieces("(https://example.org/a)")[1].href, "https://example.org/a");
});

test("length counts characters as the server does", () => {
  assert.equal(lengthOf("弹幕😀"), 3);
});
