/**
 * Return one of twelve colours for a person: always the same for the same name, and the
 * same that the server gives (``human.hue``).
 * @param {string} name
 */
export function hue(name) {
  let sum = 0;
  [...name.toLowerCase()].forEach((letter, place) => {
    sum += letter.codePointAt(0) * (place + 1);
  });
  return sum % 12;
}
