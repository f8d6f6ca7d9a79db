
"use strict";
/* report.js: shows the lines of a trace.  What they say is foreign: it becomes text, never markup. */

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const ROWS_MAX = 1000, CELL = 12;

/* ---- what was read ------------------------------------------------------------------------------ */

const roms = [], accesses = [], phases = [];
let end;

function romOf(line) {
  return roms.find((rom) => rom.device === line.device && rom.instance === line.instance);
}

function fileOf(rom, path, state) {
  let file = rom.byPath.get(path);
  if (!file) {
    file = {path, rom, size: null, place: -1, state, reads: 0, bytes: 0, first: null};
    rom.byPath.set(path, file);
    rom.files.push(file);
  }
  return file;
}

function addRom(line) {
  if (romOf(line))
    return;
  const rom = {
    device: line.device, instance: line.instance, title: line.name || line.device, at: line.at,
    size: line.size, map: line.map || [], files: [], byPath: new Map(), faults: []};
  for (const [place, entry] of (line.files || []).entries())
    Object.assign(fileOf(rom, entry.path, "unread"), {size: entry.size, place});
  rom.known = [...rom.files];
  roms.push(rom);
}

function addAccess(line) {
  const rom = romOf(line);
  if (!rom)
    return;
  const access = {
    rom, time: line.time_us / 1e6, took: (line.took_us || 0) / 1e6, kind: line.kind, error: line.error,
    offset: line.offset, size: line.size || 0, pieces: []};
  if (line.kind === "read")
    access.pieces = (line.what || []).filter((piece) => piece.is === "file")
      .map((piece) => ({path: piece.path, length: piece.length || 0}));
  else if (line.kind === "file")
    access.pieces = [{path: line.path, length: access.size}];
  else if (line.found === false || (line.kind === "open" && line.error === "ENOENT"))
    access.missing = line.path;
  accesses.push(access);
}

for (const line of data.lines) {
  if (line.kind === "device")
    addRom(line);
  else if (line.kind === "read" || line.kind === "file" || line.kind === "lookup" ||
           line.kind === "open")
    addAccess(line);
  else if (line.kind === "phase")
    phases.push({name: line.phase, instance: line.instance, time: line.time_us / 1e6});
  else if (line.kind === "fault")
    (romOf(line) || roms.at(-1))?.faults.push(line.text);
}
end = accesses.reduce((most, access) => Math.max(most, access.time + access.took), 0.001);
end = phases.reduce((most, phase) => Math.max(most, phase.time), end);
accesses.sort((a, b) => a.time - b.time);

/* The path that was probably meant: the same but for its case, or two typing errors away. */
function distance(a, b) {
  let row = Array.from({length: b.length + 1}, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] !== b[j - 1]));
    row = next;
  }
  return row[b.length];
}

function nearest(rom, path) {
  const same = rom.known.find((file) => file.path.toLowerCase() === path.toLowerCase());
  if (same || rom.known.length > 5000)
    return same?.path;
  let best = null, least = 3;
  for (const file of rom.known) {
    const away = Math.abs(file.path.length - path.length) < least ? distance(file.path, path) : least;
    if (away < least)
      [best, least] = [file.path, away];
  }
  return best;
}

/* ---- up to a moment ----------------------------------------------------------------------------- */

let moment = end;
const shown = () => accesses.filter((access) => access.time <= moment);

function warm(rom, offset, size) {
  const last = Math.min(rom.cells - 1, Math.floor((offset + size - 1) / rom.step));
  for (let cell = Math.floor(offset / rom.step); cell <= last; cell++)
    rom.heat[cell]++;
}

/* A read of a file is one of its part of the image; of a compressed one it is not known which. */
function warmFile(rom, file, access) {
  const ranges = rom.map.filter((range) => range[2] === file.place && file.place >= 0);
  const isWhole = ranges.reduce((sum, range) => sum + range[1], 0) < file.size;
  let position = 0;
  for (const [offset, size] of ranges) {
    const start = isWhole ? 0 : Math.max(0, access.offset - position);
    const stop = isWhole ? size : Math.min(size, access.offset + access.size - position);
    if (start < stop)
      warm(rom, offset + start, stop - start);
    position += size;
  }
}

function count() {
  for (const rom of roms) {
    rom.reads = rom.bytes = 0;
    rom.heat = new Uint32Array(rom.cells || 0);
    for (const file of rom.files)
      Object.assign(file, {reads: 0, bytes: 0, first: null,
                           state: file.place < 0 ? "missing" : "unread"});
  }
  const visible = shown();
  for (const access of visible) {
    const {rom} = access;
    if (access.missing !== undefined) {
      const file = fileOf(rom, access.missing, "missing");
      file.reads++;
      file.first ??= access.time;
      continue;
    }
    rom.reads += access.kind === "read" || access.kind === "file";
    rom.bytes += access.size;
    for (const piece of access.pieces) {
      const file = fileOf(rom, piece.path, "read");
      file.reads++;
      file.bytes += piece.length;
      file.first ??= access.time;
      file.state = access.error ? "failed" : "read";
    }
    if (access.kind === "read")
      warm(rom, access.offset, access.size);
    else if (access.kind === "file")
      warmFile(rom, rom.byPath.get(access.pieces[0].path), access);
  }
  return visible.length;
}

/* ---- colours ------------------------------------------------------------------------------------ */

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const isDark = matchMedia("(prefers-color-scheme: dark)");
const hue = (place) => `hsl(${Math.round(place * 137.508) % 360} 62% ${isDark.matches ? 62 : 46}%)`;
const faint = (place) => `hsl(${Math.round(place * 137.508) % 360} ${isDark.matches ? "25% 26%" : "45% 86%"})`;

function heatColour(times) {
  if (!times)
    return style("--cold");
  const step = Math.min(1, Math.log2(times) / 5);
  return `hsl(${210 - 195 * step} 75% ${isDark.matches ? 45 + 15 * step : 55 - 10 * step}%)`;
}

/* ---- the maps ----------------------------------------------------------------------------------- */

const byReads = () => document.querySelector("[name=colour]:checked").value === "reads";
const BLOCK = 4096;

function sizeText(bytes) {
  for (const unit of ["bytes", "KiB", "MiB", "GiB"]) {
    if (bytes < 1024 || unit === "GiB")
      return `${unit === "bytes" ? bytes : bytes.toFixed(1)} ${unit}`;
    bytes /= 1024;
  }
}

/* What most of a cell is: a place among the files, -1 for what describes them, null for nothing. */
function layOut(rom) {
  const columns = Math.max(8, Math.floor(rom.canvas.clientWidth / CELL));
  const blocks = Math.max(1, Math.ceil(rom.size / BLOCK));
  rom.columns = columns;
  rom.perCell = Math.max(1, Math.ceil(blocks / (columns * 40)));
  rom.step = rom.perCell * BLOCK;
  rom.cells = Math.ceil(blocks / rom.perCell);
  const best = new Float64Array(rom.cells);
  rom.places = new Array(rom.cells).fill(null);
  for (const [offset, size, place] of rom.map) {
    const last = Math.min(rom.cells - 1, Math.floor((offset + size - 1) / rom.step));
    for (let cell = Math.max(0, Math.floor(offset / rom.step)); cell <= last; cell++) {
      const share = Math.min(offset + size, (cell + 1) * rom.step) - Math.max(offset, cell * rom.step);
      if (share > best[cell]) {
        best[cell] = share;
        rom.places[cell] = place;
      }
    }
  }
  rom.canvas.style.height = `${Math.ceil(rom.cells / columns) * CELL}px`;
}

function sharp(canvas) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio));
  canvas.height = Math.max(1, Math.round(canvas.clientHeight * ratio));
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  return pen;
}

function draw(rom) {
  const pen = sharp(rom.canvas), heat = byReads();
  for (let cell = 0; cell < rom.cells; cell++) {
    const place = rom.places[cell], times = rom.heat[cell];
    pen.fillStyle = heat ? (place === null && !times ? style("--empty") : heatColour(times))
      : place === null ? style("--empty") : place < 0 ? style(times ? "--meta" : "--cold")
      : times ? hue(place) : faint(place);
    pen.fillRect((cell % rom.columns) * CELL, Math.floor(cell / rom.columns) * CELL, CELL - 1, CELL - 1);
    if (cell === rom.chosen) {
      pen.strokeStyle = style("--ink");
      pen.lineWidth = 2;
      pen.strokeRect((cell % rom.columns) * CELL, Math.floor(cell / rom.columns) * CELL, CELL - 1, CELL - 1);
    }
  }
}

function tellBlock(rom, cell) {
  const start = cell * rom.step, stop = Math.min(rom.size, start + rom.step);
  const names = new Set();
  for (const [offset, size, place] of rom.map)
    if (offset < stop && offset + size > start)
      names.add(place < 0 ? "superblock, inodes, directories" : rom.known[place]?.path ?? "?");
  const list = [...names], times = rom.heat[cell];
  byId("block").textContent = `${rom.title}, bytes ${start} to ${stop - 1}: ` +
    (list.slice(0, 4).join(", ") || "nothing that the image uses") +
    (list.length > 4 ? ` and ${list.length - 4} more` : "") +
    `; ${times ? `read ${times} ${times === 1 ? "time" : "times"}` : "not read"}`;
}

function choose(rom, cell) {
  for (const other of roms)
    other.chosen = undefined;
  rom.chosen = Math.min(rom.cells - 1, Math.max(0, cell));
  tellBlock(rom, rom.chosen);
  roms.forEach(draw);
}

function makeMaps() {
  for (const rom of roms) {
    const title = document.createElement("h3"), about = document.createElement("p");
    rom.canvas = document.createElement("canvas");
    rom.canvas.tabIndex = 0;
    rom.canvas.setAttribute("role", "img");
    rom.canvas.setAttribute("aria-label", `blocks of ${rom.title}: arrow keys choose one`);
    title.textContent = `${rom.instance ? `${rom.instance}: ` : ""}${rom.title}` +
      `${rom.at ? ` at ${rom.at}` : ""}`;
    rom.about = about;
    byId("maps").append(title, about);
    for (const fault of rom.faults) {
      const line = document.createElement("p");
      line.className = "fault";
      line.textContent = `made wrong by --fault ${fault}`;
      byId("maps").append(line);
    }
    byId("maps").append(rom.canvas);
    rom.canvas.addEventListener("click", (event) => choose(rom,
      Math.floor(event.offsetY / CELL) * rom.columns +
      Math.min(rom.columns - 1, Math.floor(event.offsetX / CELL))));
    rom.canvas.addEventListener("keydown", (event) => {
      const step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -rom.columns, ArrowDown: rom.columns}[event.key];
      if (!step)
        return;
      event.preventDefault();
      choose(rom, (rom.chosen ?? -1) + step);
    });
  }
}

/* ---- the timeline ------------------------------------------------------------------------------- */

function drawTimeline() {
  const canvas = byId("timeline"), pen = sharp(canvas);
  const wide = canvas.clientWidth, high = canvas.clientHeight;
  const x = (time) => 4 + time / end * (wide - 8);
  pen.fillStyle = style("--paper");
  pen.fillRect(0, 0, wide, high);
  pen.fillStyle = style("--line");
  for (const phase of phases)
    pen.fillRect(x(phase.time), 0, 1, high);
  const row = Math.max(4, (high - 8) / Math.max(1, roms.length));
  for (const access of accesses) {
    const index = roms.indexOf(access.rom);
    pen.fillStyle = access.error || access.missing !== undefined ? style("--bad")
      : access.time <= moment ? style("--link") : style("--meta");
    pen.fillRect(x(access.time), 4 + index * row, Math.max(1.5, x(access.took) - 4), Math.max(2, row - 4));
  }
  pen.fillStyle = style("--ink");
  pen.fillRect(x(moment) - 1, 0, 2, high);
}

function makePhases() {
  for (const phase of phases) {
    const item = document.createElement("li"), button = document.createElement("button");
    button.type = "button";
    button.textContent = `${phase.name} ${phase.time.toFixed(3)} s`;
    button.addEventListener("click", () => scrub(phase.time));
    item.append(button);
    byId("phases").append(item);
  }
}

/* ---- the table ---------------------------------------------------------------------------------- */

const columns = [
  {name: "Path", value: (file) => file.path},
  {name: "ROM", value: (file) => file.rom.title},
  {name: "State", value: (file) => file.state},
  {name: "Size", value: (file) => file.size ?? -1, isNumber: true},
  {name: "Bytes read", value: (file) => file.bytes, isNumber: true},
  {name: "Reads", value: (file) => file.reads, isNumber: true},
  {name: "First", value: (file) => file.first ?? Infinity, isNumber: true},
];
let sortedBy = columns[6], isRising = true;

function compare(a, b) {
  const [one, other] = [sortedBy.value(a), sortedBy.value(b)];
  const order = one < other ? -1 : one > other ? 1 : a.path < b.path ? -1 : 1;
  return isRising ? order : -order;
}

function makeHeads() {
  for (const column of columns) {
    const head = document.createElement("th"), button = document.createElement("button");
    head.scope = "col";
    button.type = "button";
    button.textContent = column.name;
    button.addEventListener("click", () => {
      isRising = sortedBy === column ? !isRising : true;
      sortedBy = column;
      showTable();
    });
    column.head = head;
    head.append(button);
    byId("heads").append(head);
  }
}

function cellText(file, column) {
  if (column.name === "Size" && file.size === null)
    return "";
  if (column.name === "First")
    return file.first === null ? "" : `${file.first.toFixed(3)} s`;
  if (column.name === "State" && file.state === "missing") {
    file.near ??= nearest(file.rom, file.path) ?? "";
    return file.near ? `missing (there is ${file.near})` : "missing";
  }
  return String(column.value(file));
}

function showTable() {
  const wanted = byId("search").value.toLowerCase();
  const all = roms.flatMap((rom) => rom.files)
    .filter((file) => file.state !== "missing" || file.reads);
  const found = all.filter((file) =>
    `${file.path}\n${file.rom.title}\n${file.state}`.toLowerCase().includes(wanted)).sort(compare);
  const rows = found.slice(0, ROWS_MAX).map((file) => {
    const row = document.createElement("tr");
    row.className = file.state;
    for (const column of columns) {
      const cell = document.createElement("td");
      cell.className = column.isNumber ? "number" : column.name === "Path" ? "path" : "";
      if (column.name === "Path" && file.place >= 0) {
        const swatch = document.createElement("span");
        swatch.className = "swatch";
        swatch.style.background = hue(file.place);
        cell.append(swatch);
      }
      cell.append(cellText(file, column));
      row.append(cell);
    }
    return row;
  });
  byId("files").replaceChildren(...rows);
  byId("matches").textContent = `${found.length} of ${all.length}` +
    (found.length > ROWS_MAX ? `, the first ${ROWS_MAX} are shown` : "");
  for (const column of columns)
    column.head.setAttribute("aria-sort",
      column === sortedBy ? (isRising ? "ascending" : "descending") : "none");
}

/* ---- all ---------------------------------------------------------------------------------------- */

function show() {
  const number = count();
  byId("when").textContent = `${moment.toFixed(3)} s: ${number} of ${accesses.length} accesses`;
  for (const rom of roms)
    rom.about.textContent = `${rom.device}, ${sizeText(rom.size)}; ` +
      `${rom.reads} ${rom.reads === 1 ? "read" : "reads"}, ` +
      `${sizeText(rom.bytes)}; a square is ${sizeText(rom.step)}`;
  roms.forEach(draw);
  drawTimeline();
  showTable();
}

function scrub(time) {
  moment = time;
  byId("until").value = Math.round(time / end * 1000);
  show();
}

function reshape() {
  roms.forEach(layOut);
  show();
}

byId("about").textContent = `${roms.length} ${roms.length === 1 ? "ROM" : "ROMs"}, ` +
  `${accesses.length} accesses in ${end.toFixed(3)} s` +
  (data.left_out ? `; ${data.left_out} later ones are left out` : "");
makePhases();
makeMaps();
makeHeads();
byId("until").addEventListener("input", (event) => {
  moment = event.target.value / 1000 * end;
  show();
});
byId("timeline").addEventListener("click", (event) =>
  scrub(Math.min(end, Math.max(0, (event.offsetX - 4) / (event.target.clientWidth - 8) * end))));
byId("colours").addEventListener("change", () => roms.forEach(draw));
byId("search").addEventListener("input", showTable);
isDark.addEventListener("change", show);
addEventListener("resize", reshape);
reshape();
