"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const table = byId("table"), search = byId("q"), found = byId("found");
  const names = ["status", "model", "engine", "precision", "batch"];
  const selects = Object.fromEntries(names.map((name) => [name, byId("f-" + name)]));
  const bodies = [...table.tBodies];
  const places = new Map(bodies.map((body, place) => [body, place]));
  const texts = new Map();
  const more = byId("more");
  let most = Number(table.dataset.most);
  let sorted = null;

  const textOf = (body) => {
    if (!texts.has(body)) texts.set(body, (body.dataset.id + " " + body.rows[0].textContent + " " + body.dataset.codes).toLowerCase());
    return texts.get(body);
  };

  const blocks = [...document.querySelectorAll(".block")];
  const unpacked = new Map();
  const size = Number(table.dataset.block);

  // A block holds the details of some cases, as deflated JSON: opened when the first is asked for.
  const unpack = (block) => {
    if (!unpacked.has(block)) {
      const bytes = Uint8Array.from(atob(block.textContent), (each) => each.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
      unpacked.set(block, new Response(stream).json());
    }
    return unpacked.get(block);
  };

  // Each picture is in the page once, however many cases show it.
  const pictures = JSON.parse(byId("pictures").textContent);
  const show = (part) => {
    for (const each of part.querySelectorAll("[data-picture]")) {
      each.setAttribute("href", "data:image/jpeg;base64," + pictures[each.dataset.picture]);
    }
  };
  show(document);

  const fill = async (body) => {
    const place = places.get(body);
    const row = body.insertRow();
    row.className = "detail";
    const cell = row.insertCell();
    cell.colSpan = body.rows[0].cells.length;
    const inside = document.createElement("div");
    inside.className = "inside";
    cell.append(inside);
    inside.innerHTML = (await unpack(blocks[Math.floor(place / size)]))[place % size];
    show(inside);
  };

  // Pictures of graphs are in the page once, too, and drawn when somebody opens one.
  const drawings = [...document.querySelectorAll(".drawings")];
  table.addEventListener("toggle", async (event) => {
    const part = event.target;
    const inside = part.querySelector(":scope > .drawn");
    if (!part.open || !inside || inside.childElementCount) return;
    const number = Number(part.dataset.drawing);
    inside.innerHTML = (await unpack(drawings[Math.floor(number / size)]))[number % size];
  }, true);

  const open = async (body, isOpen) => {
    body.querySelector(".open").setAttribute("aria-expanded", String(isOpen));
    if (body.rows.length > 1) body.rows[1].hidden = !isOpen;
    else if (isOpen) await fill(body);
  };

  // Rows beyond the first few hundred are laid out when somebody asks for them.
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const body of table.tBodies) {
      const isFound = names.every((name) => !selects[name].value || body.dataset[name] === selects[name].value)
        && (!words.length || words.every((word) => textOf(body).includes(word)));
      count += isFound;
      body.hidden = !isFound || count > most;
    }
    found.textContent = count === bodies.length ? `${count} cases` : `${count} of ${bodies.length} cases`;
    more.hidden = count <= most;
    more.textContent = `show all ${count}, not only the first ${most}`;
  };

  const valueIn = (body, column) => {
    const cell = body.rows[0].cells[column];
    const text = cell.dataset.v ?? cell.textContent;
    const number = parseFloat(text);
    return Number.isNaN(number) ? text : number;
  };

  const sort = (column, isDown) => {
    const heads = table.tHead.rows[0].cells;
    const keyed = bodies.map((body) => [valueIn(body, column), body]);
    keyed.sort(([a], [b]) => {
      if (a === "" || b === "") return (a === "") - (b === "");
      const order = typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1;
      return isDown ? -order : order;
    });
    table.append(...keyed.map(([, body]) => body));
    filter();
    for (const head of heads) head.removeAttribute("aria-sort");
    heads[column].setAttribute("aria-sort", isDown ? "descending" : "ascending");
    sorted = [column, isDown];
  };

  const store = () => {
    const state = new URLSearchParams();
    if (search.value) state.set("q", search.value);
    for (const name of names) if (selects[name].value) state.set(name, selects[name].value);
    if (sorted) state.set("sort", (sorted[1] ? "-" : "") + sorted[0]);
    const hash = state.toString();
    try {
      history.replaceState(null, "", hash ? "#" + hash : location.pathname + location.search);
    } catch { /* a page in a sandbox has no history of its own; its filters work all the same */ }
  };

  const clear = () => {
    search.value = "";
    for (const name of names) selects[name].value = "";
    filter();
  };

  const follow = () => {
    const hash = location.hash.slice(1);
    const body = hash.startsWith("case-") ? document.getElementById(hash) : null;
    if (body) {
      if (body.hidden) clear();
      body.hidden = false;
      open(body, true).then(() => body.scrollIntoView({ block: "start" }));
      return;
    }
    if (!hash.includes("=")) {
      document.getElementById(hash)?.scrollIntoView();
      return;
    }
    const state = new URLSearchParams(hash);
    search.value = state.get("q") ?? "";
    for (const name of names) selects[name].value = state.get(name) ?? "";
    filter();
    const column = state.get("sort");
    if (column) sort(Math.min(Math.abs(parseInt(column, 10)) || 0, table.tHead.rows[0].cells.length - 1), column.startsWith("-"));
    byId("cases").scrollIntoView();
  };

  table.addEventListener("click", (event) => {
    const head = event.target.closest("[data-column]");
    if (head) {
      const column = Number(head.dataset.column);
      sort(column, Boolean(sorted && sorted[0] === column && !sorted[1]));
      store();
      return;
    }
    const row = event.target.closest("tr");
    if (!row || event.target.closest("a") || !row.parentElement.id || row !== row.parentElement.rows[0]) return;
    if (!event.target.closest("button") && String(getSelection())) return;
    open(row.parentElement, row.querySelector(".open").getAttribute("aria-expanded") === "false");
  });

  search.form.addEventListener("submit", (event) => event.preventDefault());
  search.form.addEventListener("input", () => { filter(); store(); });
  more.addEventListener("click", () => { most = Infinity; filter(); });
  byId("clear").addEventListener("click", () => { clear(); store(); });
  addEventListener("hashchange", follow);
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") { clear(); store(); }
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.matches("input, select, textarea")) return;
    event.preventDefault();
    search.focus();
  });

  if (location.hash) follow();
})();
