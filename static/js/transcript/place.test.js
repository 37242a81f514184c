import assert from "node:assert/strict";
import { test } from "node:test";
import { chosenLanguage, cueAt, marked } from "#transcript/place";

const CUES = [{ start: 1000 }, { start: 2000 }, { start: 2000 }, { start: 9000 }];

test("line that plays is the last one that has begun", () => {
  assert.deepEqual([0, 1000, 1999, 2000, 8999, 99_999].map((ms) => cueAt(CUES, ms)), [-1, 0, 0, 2, 2, 3]);
  assert.equal(cueAt([], 5), -1);
});

test("matches are marked without case, and all of them", () => {
  assert.deepEqual(marked("Film, FILM", "film"), [
    { text: "Film", isMatch: true },
    { text: ", ", isMatch: false },
    { text: "FILM", isMatch: true },
  ]);
  assert.equal(marked("Film", "x"), null);
  assert.deepEqual(marked("Film", " "), [{ text: "Film", isMatch: false }]);
  assert.deepEqual(marked("İstanbul", "stan"), [{ text: "İstanbul", isMatch: true }]);
});

test("language of the player comes first, then the reader's, in any region", () => {
  const tags = ["en", "pt-BR", "zh-Hans"];
  assert.equal(chosenLanguage(tags, ["zh-hans", "en"]), "zh-Hans");
  assert.equal(chosenLanguage(tags, [undefined, "pt-PT"]), "pt-BR");
  assert.equal(chosenLanguage(tags, ["fr"]), "en");
});
