// Shows large pictures without leaving the page, so that boxes stay, and turns drawing into the numbers of the form.
// Without it every link and every field works all the same.
"use strict";

const SMALLEST = 2;
const BOX = /^\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*$/;
const field = document.getElementById("boxes");
let drawing = null;
let zoom = "100";

const find = (id) => document.getElementById(id);

function lines() {
  return field ? field.value.split("\n").filter((line) => line.trim()) : [];
}

function size(picture) {
  return { columns: Number(picture.dataset.columns), rows: Number(picture.dataset.rows) };
}

function place(picture, [left, top, width, height], label) {
  const { columns, rows } = size(picture);
  const box = document.createElement("div");
  box.className = "box";
  box.style.left = `${(100 * left) / columns}%`;
  box.style.top = `${(100 * top) / rows}%`;
  box.style.width = `${(100 * width) / columns}%`;
  box.style.height = `${(100 * height) / rows}%`;
  if (label) box.append(Object.assign(document.createElement("b"), { textContent: label }));
  picture.append(box);
}

function draw() {
  const picture = find("picture");
  if (!field) return;
  const wrong = [];
  picture?.querySelectorAll(".box").forEach((box) => box.remove());
  lines().forEach((line, index) => {
    const match = BOX.exec(line);
    if (!match) wrong.push(index + 1);
    else if (picture) place(picture, match.slice(1).map(Number), String(index + 1));
  });
  if (picture && drawing) place(picture, drawing.box);
  find("wrong-boxes").textContent = wrong.length
    ? `Line ${wrong.join(", ")}: four numbers are needed, as in 0,0,1024,60`
    : "";
}

function point(picture, event) {
  const { columns, rows } = size(picture);
  const seen = picture.getBoundingClientRect();
  const clamp = (value, most) => Math.min(Math.max(Math.round(value), 0), most);
  return [
    clamp(((event.clientX - seen.left) / seen.width) * columns, columns),
    clamp(((event.clientY - seen.top) / seen.height) * rows, rows),
  ];
}

function between([x, y], [u, v]) {
  return [Math.min(x, u), Math.min(y, v), Math.abs(u - x), Math.abs(v - y)];
}

function tell(text) {
  const numbers = find("numbers");
  if (numbers) numbers.textContent = text;
}

document.addEventListener("pointerdown", (event) => {
  const picture = event.target.closest?.("#picture");
  // A finger scrolls; whoever has no mouse types the numbers.
  if (!field || !picture || event.button || event.pointerType === "touch") return;
  event.preventDefault();
  const start = point(picture, event);
  drawing = { picture, start, box: between(start, start) };
});

document.addEventListener("pointermove", (event) => {
  if (!drawing) return;
  drawing.box = between(drawing.start, point(drawing.picture, event));
  tell(drawing.box.join(","));
  draw();
});

document.addEventListener("pointerup", () => {
  if (!drawing) return;
  const { box } = drawing;
  drawing = null;
  if (box[2] >= SMALLEST && box[3] >= SMALLEST) {
    field.value = [...lines(), box.join(",")].join("\n");
    const mask = document.querySelector('input[name="decision"][value="mask"]');
    if (mask) mask.checked = true;
  }
  draw();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !drawing) return;
  drawing = null;
  tell("");
  draw();
});

function magnify() {
  const picture = find("picture");
  if (picture) picture.style.width = `${zoom}%`;
}

function prepare() {
  document.querySelectorAll(".needs-script").forEach((part) => (part.hidden = false));
  const chosen = find("zoom");
  if (chosen) chosen.value = zoom;
  find("stage")?.classList.toggle("drawable", Boolean(field));
  magnify();
  draw();
}

function mark(url) {
  const wanted = new URL(url, location.href).searchParams;
  const at = wanted.get("at");
  document.querySelectorAll(".samples a").forEach((link) => {
    const here = at !== null && new URL(link.href).searchParams.get("at") === at;
    if (here) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  });
  const form = find("confirm");
  if (!form || at === null) return;
  form.elements.at.value = at;
  form.elements.frame.value = wanted.get("frame") ?? "1";
  form.elements.contrast.value = wanted.get("contrast") ?? "";
}

async function show(url) {
  const stage = find("stage");
  stage.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(url, { credentials: "same-origin", redirect: "error" });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("stage");
    if (!fresh) throw new Error("no picture in the answer");
    stage.replaceWith(document.adoptNode(fresh));
    mark(url);
    prepare();
    fresh.focus({ preventScroll: true });
    fresh.scrollIntoView({ block: "nearest" });
  } catch {
    stage.removeAttribute("aria-busy");
    stage.textContent = "The page does not answer: has the command been ended?";
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-stage]");
  if (!link || !find("stage") || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  show(link.href);
});

document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-stage]")) return;
  event.preventDefault();
  show(`${event.target.action}?${new URLSearchParams(new FormData(event.target))}`);
});

document.addEventListener("change", (event) => {
  if (event.target.id !== "zoom") return;
  zoom = event.target.value;
  magnify();
});

field?.addEventListener("input", draw);
find("undo")?.addEventListener("click", () => {
  field.value = lines().slice(0, -1).join("\n");
  draw();
});
prepare();
