"use strict";
// The page is whole without this. With it, tables sort and filter, and the theme can be chosen.
(() => {
  const collator = new Intl.Collator(undefined, { numeric: true });
  const valueOf = (row, i) => {
    const cell = row.cells[i];
    const value = cell.dataset.v;
    return value === undefined ? cell.textContent.trim() : Number(value);
  };
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") {
      if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
      return a - b;
    }
    return collator.compare(String(a), String(b));
  };

  const makeSortable = (table) => {
    const heads = [...table.tHead.rows[0].cells];
    const body = table.tBodies[0];
    heads.forEach((head, i) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const numeric = head.classList.contains("n");
        const was = head.getAttribute("aria-sort");
        const first = numeric ? "descending" : "ascending";
        const second = numeric ? "ascending" : "descending";
        const order = was === first ? second : first;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", order);
        const sign = order === "ascending" ? 1 : -1;
        const keyed = [...body.rows].map((row) => [valueOf(row, i), row]);
        keyed.sort((a, b) => sign * compare(a[0], b[0]));
        body.append(...keyed.map(([, row]) => row));
      });
    });
  };

  const makeFilter = (table, place, n) => {
    const rows = [...table.tBodies[0].rows];
    const texts = rows.map((row) => row.textContent.toLowerCase());
    const box = document.createElement("div");
    box.className = "filter";
    const label = document.createElement("label");
    label.htmlFor = `filter-${n}`;
    label.textContent = "Filter rows";
    const input = document.createElement("input");
    input.type = "search";
    input.id = label.htmlFor;
    const found = document.createElement("span");
    found.setAttribute("role", "status");
    input.addEventListener("input", () => {
      const wanted = input.value.toLowerCase();
      let shown = 0;
      rows.forEach((row, i) => {
        row.hidden = !texts[i].includes(wanted);
        shown += !row.hidden;
      });
      found.textContent = wanted ? `${shown} of ${rows.length} rows` : "";
    });
    box.append(label, input, found);
    place.before(box);
  };

  document.querySelectorAll("table").forEach((table, n) => {
    const rows = table.tBodies[0].rows.length;
    if (rows > 2) makeSortable(table);
    if (rows > 8) makeFilter(table, table.closest(".scroll"), n);
  });

  const themes = ["auto", "light", "dark"];
  const theme = document.createElement("button");
  theme.type = "button";
  theme.className = "theme";
  let at = 0;
  const name = () => { theme.textContent = `Colours: ${themes[at]}`; };
  theme.addEventListener("click", () => {
    at = (at + 1) % themes.length;
    if (at) document.documentElement.dataset.theme = themes[at];
    else delete document.documentElement.dataset.theme;
    name();
  });
  name();
  document.querySelector("header.top .wrap").append(theme);
})();
