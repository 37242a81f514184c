/** A list's cells carry the names of their columns, which narrow screens show beside them. */

const list = document.querySelector("#result_list");

for (const heading of list?.querySelectorAll("thead th[class*=column-]") ?? []) {
  const column = [...heading.classList].find((name) => name.startsWith("column-"))?.slice("column-".length);
  const label = heading.querySelector(".text")?.textContent.trim();
  if (!column || !label) continue;
  for (const cell of list.querySelectorAll(`tbody td.field-${CSS.escape(column)}`)) cell.dataset.label = label;
}
