// The drawing pad. gr.HTML runs this file as a function of `element`, `props`, `trigger` and `watch`.
//
// A drawing is a list of elements that are never changed, only replaced, so a moment of its history is just such
// a list. Points are in pixels of the 512 x 512 canvas, on the screen and in the exported picture alike.

const SIZE = 512;
const FARTHEST = 10_000; // Python refuses points beyond
const HISTORY = 300; // steps that can be undone
const COLOURS = { left_eye: "#4f46e5", right_eye: "#4f46e5", nose: "#0f766e", mouth: "#be185d" };
const RIGHT_TO_LEFT = ["ar", "ckb", "fa", "he", "ps", "ur"];
const SVG = "http://www.w3.org/2000/svg";

const find = (selector) => element.querySelector(selector);
const all = (selector) => [...element.querySelectorAll(selector)];
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const round = (value, unit = 10) => Math.round(value * unit) / unit;
const copy = (value) => JSON.parse(JSON.stringify(value));

const pad = find(".pad");
const paper = find(".paper");
const ink = find(".ink");
const screen = ink.getContext("2d");
const base = document.createElement("canvas").getContext("2d"); // the drawing without the stroke under way
const tool = { name: "pen", pen: 2, eraser: 4, mirror: false };

let strokes = [];
let past = [];
let future = [];
let revision = 0;
let scale = 1; // screen pixels per canvas pixel
let stroke = null; // {id, type, item}: the stroke under way and the pointer that draws it
let gesture = null; // {matrix, list}: the move under way and what the drawing looks like meanwhile

// ---- Elements ------------------------------------------------------------------------------------------------

/** The elements of a list from outside that make sense, in their canonical form. */
function checked(list) {
  const number = (value) => Number.isFinite(value) && Math.abs(value) <= FARTHEST;
  const valid = (item) => {
    if (item?.tool === "image") {
      const { png, box } = item;
      const boxed = Array.isArray(box) && box.length === 4 && box.every(number) && box[2] > 0 && box[3] > 0;
      return boxed && typeof png === "string" && png.startsWith("data:image/");
    }
    const points = item?.points;
    const drawn = item?.tool === "pen" || item?.tool === "eraser";
    return drawn && item.radius > 0 && item.radius < 1e4 && Array.isArray(points) && points.length > 0
      && points.every((p) => Array.isArray(p) && (p.length === 2 || p.length === 3) && p.every(number));
  };
  const tidy = (item) => item.tool === "image"
    ? { tool: "image", png: item.png, box: item.box.map((v) => round(v)) }
    : {
        tool: item.tool,
        radius: round(item.radius),
        points: item.points.map(([x, y, ...p]) => [round(x), round(y), ...p.map((v) => round(clamp(v, 0, 1), 100))]),
        ...(item.mirror === true && { mirror: true }),
      };
  return Array.isArray(list) ? copy(list).filter(valid).map(tidy) : [];
}

const mirrored = (points) => points.map(([x, ...rest]) => [round(SIZE - x), ...rest]);

/** Moves and scales elements: x becomes k * x + dx. Lines keep their width, which is the pen's. */
function transformed(list, { k, dx, dy }) {
  const centred = Math.abs(k * (SIZE / 2) + dx - SIZE / 2) < 0.05;
  const move = ([x, y, ...rest]) => [round(k * x + dx), round(k * y + dy), ...rest];
  return list.flatMap((item) => {
    if (item.tool === "image") {
      const [x, y, w, h] = item.box;
      return [{ ...item, box: [...move([x, y]), Math.max(0.1, round(k * w)), Math.max(0.1, round(k * h))] }];
    }
    // An eraser's reach scales beyond a line's own half width, so that it still wipes what it wiped before.
    const radius = item.tool === "pen" ? item.radius : Math.max(0.5, round(2 + k * (item.radius - 2)));
    const { mirror, ...single } = { ...item, radius };
    // Off the face's axis a mirrored pair is no longer symmetric: it becomes two strokes.
    const pair = mirror && !centred ? [item.points, mirrored(item.points)] : [item.points];
    return pair.map((points) => ({ ...single, points: points.map(move), ...(mirror && centred && { mirror }) }));
  });
}

// ---- Drawing -------------------------------------------------------------------------------------------------

const masks = new Map(); // address of an imported picture -> canvas with its ink in black, its paper transparent

/** Loads the pictures of a list; resolves to the list without those that cannot be read. */
async function loaded(list) {
  const broken = new Set();
  const load = async ({ png }) => {
    if (masks.has(png)) return;
    try {
      const image = new Image();
      image.src = png;
      await image.decode();
      const shrink = Math.min(1, (2 * SIZE) / Math.max(image.naturalWidth, image.naturalHeight));
      const size = [image.naturalWidth, image.naturalHeight].map((v) => Math.max(1, Math.round(v * shrink)));
      const c = sheet(...size);
      c.drawImage(image, 0, 0, ...size);
      const pixels = c.getImageData(0, 0, ...size);
      const d = pixels.data;
      for (let i = 0; i < d.length; i += 4) {
        const dark = (255 - (0.299 * d[i] + 0.587 * d[i + 1] + 0.114 * d[i + 2])) * (d[i + 3] / 255);
        d[i] = d[i + 1] = d[i + 2] = 0;
        d[i + 3] = dark < 8 ? 0 : dark; // nearly white is paper
      }
      c.putImageData(pixels, 0, 0);
      masks.set(png, c.canvas);
    } catch {
      broken.add(png);
    }
  };
  await Promise.all(list.filter((item) => item.tool === "image").map(load));
  return list.filter((item) => !broken.has(item.png));
}

/** Draws one line through the points: curves from middle to middle, with the points as their controls. */
function line(c, points, radius) {
  const pressed = points.some((p) => p.length > 2);
  const width = ([, , pressure = 0.5]) => 2 * radius * (0.4 + 1.2 * pressure);
  c.lineWidth = pressed ? width(points[0]) : 2 * radius;
  c.beginPath();
  c.moveTo(points[0][0], points[0][1]);
  if (points.length === 1) c.lineTo(points[0][0] + 0.01, points[0][1]);
  for (let i = 1; i < points.length; i++) {
    const [x, y] = points[i];
    const next = points[i + 1];
    const end = next ? [(x + next[0]) / 2, (y + next[1]) / 2] : [x, y];
    if (pressed) c.lineWidth = width(points[i]);
    c.quadraticCurveTo(x, y, ...end);
    if (pressed && next) {
      c.stroke();
      c.beginPath();
      c.moveTo(...end);
    }
  }
  c.stroke();
}

function draw(c, item) {
  c.globalCompositeOperation = item.tool === "eraser" ? "destination-out" : "source-over";
  if (item.tool === "image") {
    const mask = masks.get(item.png);
    if (mask) c.drawImage(mask, ...item.box);
    return;
  }
  c.strokeStyle = "#000";
  c.lineCap = c.lineJoin = "round";
  line(c, item.points, item.radius);
  if (item.mirror) line(c, mirrored(item.points), item.radius);
}

/** Wipes a canvas and draws a list on it, `factor` device pixels per canvas pixel, shifted by device pixels. */
function paint(c, list, factor, dx = 0, dy = 0) {
  c.setTransform(1, 0, 0, 1, 0, 0);
  c.globalCompositeOperation = "source-over";
  c.clearRect(0, 0, c.canvas.width, c.canvas.height);
  c.setTransform(factor, 0, 0, factor, dx, dy);
  for (const item of list) draw(c, item);
}

let waiting = false;

/** Brings the screen up to date with the next frame. */
function show() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    const side = ink.width;
    screen.setTransform(1, 0, 0, 1, 0, 0);
    screen.globalCompositeOperation = "source-over";
    screen.clearRect(0, 0, side, side);
    screen.drawImage(base.canvas, 0, 0);
    screen.setTransform(scale, 0, 0, scale, 0, 0);
    if (stroke) draw(screen, stroke.item);
  });
}

/** Draws everything anew, e.g. after an undo. */
function redraw() {
  paint(base, gesture ? gesture.list : strokes, scale);
  show();
}

/** A canvas in main memory, where the same elements give the same pixels whatever the screen and its driver. */
function sheet(width = SIZE, height = SIZE) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  return canvas.getContext("2d", { willReadFrequently: true });
}

const exported = sheet(); // the drawing at scale 1, kept up to date by `changed`
const page = sheet();

/** The drawing as PNG, black on white, 512 x 512. */
function picture() {
  page.fillStyle = "#fff";
  page.fillRect(0, 0, SIZE, SIZE);
  page.drawImage(exported.canvas, 0, 0);
  return page.canvas.toDataURL("image/png");
}

/** Box [x0, y0, x1, y1] around the ink that is left, also outside the canvas; null without ink. */
function inkBox(list) {
  const corners = list.flatMap((item) => {
    if (item.tool === "eraser") return [];
    if (item.tool === "image") return [item.box, [item.box[0] + item.box[2], item.box[1] + item.box[3]]];
    const points = item.mirror ? [...item.points, ...mirrored(item.points)] : item.points;
    return points.flatMap(([x, y]) => [[x - 8, y - 8], [x + 8, y + 8]]);
  });
  if (!corners.length) return null;
  const span = (axis) => corners.reduce(([a, b], p) => [Math.min(a, p[axis]), Math.max(b, p[axis])], [1e9, -1e9]);
  const [[x0, x1], [y0, y1]] = [span(0), span(1)];
  const factor = Math.min(1, 1024 / Math.max(x1 - x0, y1 - y0));
  const c = sheet(Math.ceil((x1 - x0) * factor), Math.ceil((y1 - y0) * factor));
  paint(c, list, factor, -x0 * factor, -y0 * factor);
  const { data, width, height } = c.getImageData(0, 0, c.canvas.width, c.canvas.height);
  const box = [width, height, -1, -1];
  for (let y = 0, i = 3; y < height; y++) {
    for (let x = 0; x < width; x++, i += 4) {
      if (data[i] < 64) continue;
      box[0] = Math.min(box[0], x);
      box[1] = Math.min(box[1], y);
      box[2] = Math.max(box[2], x + 1);
      box[3] = Math.max(box[3], y + 1);
    }
  }
  return box[2] < 0 ? null : box.map((v, i) => v / factor + (i % 2 ? y0 : x0));
}

// ---- Changes and history -------------------------------------------------------------------------------------

/** Tells Python. The value travels as text: as an object, Gradio would wrap and compare each of its points. */
function emit() {
  revision += 1;
  pad.dataset.revision = revision;
  props.value = JSON.stringify({ png: picture(), strokes, n: revision });
  if (props.live) trigger("input");
}

// What each tab of the browser has for itself, and what the next one begins with. Asking for either may be forbidden.
const STORES = [() => sessionStorage, () => localStorage];

/** Has the browser remember the drawing. */
function keep() {
  if (!props.storage_key) return;
  for (const store of STORES) {
    try {
      store().removeItem(props.storage_key); // where there is no room, nothing older is read instead
      store().setItem(props.storage_key, JSON.stringify({ strokes }));
    } catch {
      // Full or forbidden: the drawing then lasts as long as the page, or as the other one's.
    }
  }
}

/** The list that this browser kept; null where there is none or it cannot be read. */
function kept() {
  if (!props.storage_key) return null;
  for (const store of STORES) {
    try {
      const found = JSON.parse(store().getItem(props.storage_key));
      if (Array.isArray(found?.strokes)) return checked(found.strokes);
    } catch {
      // Forbidden, or not ours.
    }
  }
  return null;
}

/** After every change of `strokes`; `added` is the element that came on top, if that is all that changed. */
function changed(added = null) {
  if (added) {
    draw(base, added);
    draw(exported, added);
    show();
  } else {
    paint(exported, strokes, 1);
    redraw();
  }
  update();
  keep();
  emit();
}

/** Makes a list the drawing, as one step that can be undone. */
function commit(list, added = null) {
  past = [...past, strokes].slice(-HISTORY);
  future = [];
  strokes = list;
  changed(added);
}

function travel(from, to) {
  if (!from.length) return;
  to.push(strokes);
  strokes = from.pop();
  changed();
}

// ---- Moving and scaling --------------------------------------------------------------------------------------

const STILL = { k: 1, dx: 0, dy: 0 };

/** The matrix that scales by `k` and brings the point `from` to `to`. */
const about = (k, from, to = from) => ({ k, dx: to[0] - k * from[0], dy: to[1] - k * from[1] });
const CENTRE = [SIZE / 2, SIZE / 2];

/** First `first`, then `second`. */
const chained = (first, second) => ({
  k: second.k * first.k,
  dx: second.k * first.dx + second.dx,
  dy: second.k * first.dy + second.dy,
});

/** Shows the drawing moved by a matrix; `settle` makes it so. */
function preview(matrix) {
  const k = clamp(matrix.k, 0.05, 20);
  if (k !== matrix.k) return;
  gesture = { matrix, list: transformed(strokes, matrix) };
  redraw();
}

let timer = 0;
const touches = new Map(); // pointers of the move tool -> [x, y] where they are
let grip = null; // {matrix, points}: the matrix and the pointers' places when fingers last came or went

/** Whether all elements of a list are where Python accepts them. */
const inReach = (list) => list.every(({ box, points }) => (box ?? points.flatMap(([x, y]) => [x, y]))
  .every((value) => Math.abs(value) <= FARTHEST));

/** Ends a move, as one step of the history. One that leads out of reach is given up. */
function settle() {
  clearTimeout(timer);
  find(".scale").value = 0;
  touches.clear();
  grip = null;
  ink.classList.remove("held");
  if (!gesture) return;
  const { matrix, list } = gesture;
  gesture = null;
  const still = Math.abs(matrix.k - 1) < 1e-3 && Math.hypot(matrix.dx, matrix.dy) < 0.3;
  if (still || !strokes.length || !inReach(list)) redraw();
  else commit(list);
}

/** Adds a small step to the move under way, which ends when no other follows. */
function nudge(matrix) {
  preview(chained(gesture?.matrix ?? STILL, matrix));
  clearTimeout(timer);
  timer = setTimeout(settle, 350);
}

/** Moves the drawing to where a face belongs: its ink fills `fit_box` as far as its proportions allow. */
function fit() {
  const box = inkBox(strokes);
  if (!box) return;
  const LINE = 4; // usual width of a line, which does not scale
  const centre = ([x0, y0, x1, y1]) => [(x0 + x1) / 2, (y0 + y1) / 2];
  const span = ([x0, y0, x1, y1]) => [x1 - x0, y1 - y0].map((v) => Math.max(1, v - LINE));
  const [w, h] = span(box);
  const [width, height] = span(props.fit_box);
  const k = clamp(Math.min(width / w, height / h), 0.1, 5);
  const [from, to] = [centre(box), centre(props.fit_box)];
  if (Math.abs(k - 1) < 0.015 && Math.hypot(to[0] - from[0], to[1] - from[1]) < 3) return; // it fits already
  preview(about(k, from, to));
  settle();
}

// ---- Pointers ------------------------------------------------------------------------------------------------

function place(event) {
  const box = ink.getBoundingClientRect();
  return [((event.clientX - box.left) * SIZE) / box.width, ((event.clientY - box.top) * SIZE) / box.height];
}

/** Adds where the pointer went to the stroke; a pen's pressure goes with it. */
function extend(event) {
  const { points } = stroke.item;
  const [x, y] = place(event).map((v) => round(v));
  const last = points.at(-1);
  if (last && Math.hypot(x - last[0], y - last[1]) < 1) return; // finer than any line
  const pressed = event.pointerType === "pen" && event.pressure > 0;
  points.push(pressed ? [x, y, round(event.pressure, 100)] : [x, y]);
}

/** The points of a stroke without those that change nothing to be seen, so that long drawings stay small. */
function thinned(points) {
  const APART = 4; // of neighbours, at most: beyond, a curve through their middles would be another one
  const OFF = 0.5;
  const PRESSURE = 0.05;
  const pressure = ([, , value = 0.5]) => value;
  /** Whether a point lies so near the chord from `a` to `b` that nobody sees that it is gone. */
  const spare = (a, b) => ([x, y, ...rest]) => {
    const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
    const along = clamp(((x - a[0]) * dx + (y - a[1]) * dy) / (dx * dx + dy * dy || 1), 0, 1);
    const off = Math.hypot(x - a[0] - along * dx, y - a[1] - along * dy);
    return off <= OFF && [a, b].every((end) => Math.abs(pressure([x, y, ...rest]) - pressure(end)) < PRESSURE);
  };
  const left = [points[0]];
  let from = 0;
  for (let to = 2; to < points.length; to++) {
    const [a, b] = [points[from], points[to]];
    if (Math.hypot(b[0] - a[0], b[1] - a[1]) <= APART && points.slice(from + 1, to).every(spare(a, b))) continue;
    from = to - 1;
    left.push(points[from]);
  }
  return points.length > 1 ? [...left, points.at(-1)] : left;
}

function regrip() {
  grip = { matrix: gesture?.matrix ?? STILL, points: new Map([...touches].slice(0, 2)) };
}

function drag() {
  const ids = [...grip.points.keys()];
  const from = ids.map((id) => grip.points.get(id));
  const to = ids.map((id) => touches.get(id));
  if (ids.length === 1) {
    preview(chained(grip.matrix, about(1, from[0], to[0])));
    return;
  }
  const middle = ([a, b]) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  const span = ([a, b]) => Math.max(8, Math.hypot(a[0] - b[0], a[1] - b[1]));
  preview(chained(grip.matrix, about(span(to) / span(from), middle(from), middle(to))));
}

ink.addEventListener("pointerdown", (event) => {
  touched();
  if (event.pointerType === "mouse" && event.button !== 0) return;
  ink.classList.add("quiet");
  ink.focus({ preventScroll: true });
  if (tool.name === "move" && !stroke) {
    if (!touches.size) settle(); // a turn of the wheel that was still going on
    capture(event);
    touches.set(event.pointerId, place(event));
    regrip();
    ink.classList.add("held");
    return;
  }
  // While one pointer draws, others are a resting palm; only a pen takes over from a finger.
  if (stroke && !(event.pointerType === "pen" && stroke.type === "touch")) return;
  settle();
  capture(event);
  const name = event.buttons & 32 ? "eraser" : tool.name; // 32: the pen's other end
  const item = { tool: name, radius: tool[name], points: [], ...(tool.mirror && { mirror: true }) };
  stroke = { id: event.pointerId, type: event.pointerType, item };
  extend(event);
  update();
  show();
});

function capture(event) {
  try {
    ink.setPointerCapture(event.pointerId);
  } catch {
    // Made by a script, or already gone.
  }
}

ink.addEventListener("pointermove", (event) => {
  if (stroke?.id === event.pointerId) {
    const steps = event.getCoalescedEvents?.() ?? [];
    for (const step of steps.length ? steps : [event]) extend(step);
    show();
  } else if (touches.has(event.pointerId)) {
    touches.set(event.pointerId, place(event));
    drag();
  }
});

function lift(event) {
  if (stroke?.id === event.pointerId) {
    const item = { ...stroke.item, points: thinned(stroke.item.points) };
    stroke = null;
    commit([...strokes, item], item);
  } else if (touches.delete(event.pointerId)) {
    if (touches.size) regrip();
    else settle();
  }
}

for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) ink.addEventListener(name, lift);

ink.addEventListener("wheel", (event) => {
  if (tool.name !== "move" || touches.size || !strokes.length) return;
  event.preventDefault();
  touched();
  const step = event.deltaY * (event.deltaMode ? 16 : 1) * (event.ctrlKey ? 0.01 : 0.0015);
  nudge(about(Math.exp(-clamp(step, -0.5, 0.5)), place(event)));
}, { passive: false });

// A ring around the paper is for those who come by keyboard.
ink.addEventListener("blur", () => ink.classList.remove("quiet"));

// Safari on tablets would otherwise take a pen's strokes for handwriting.
ink.addEventListener("touchmove", (event) => event.preventDefault(), { passive: false });
ink.addEventListener("contextmenu", (event) => event.pointerType !== "mouse" && event.preventDefault());

// ---- Buttons, sliders, keys ----------------------------------------------------------------------------------

function choose(name) {
  settle();
  tool.name = name;
  update();
}

/** Sets the size of the pen or the eraser, within its slider's range. */
function resize(name, radius) {
  const slider = find(`[data-size=${name}]`);
  tool[name] = clamp(radius, +slider.min, +slider.max);
  update();
}

const view = { shadow: true, parts: false };

const actions = {
  undo: () => travel(past, future),
  redo: () => travel(future, past),
  clear: () => strokes.length && commit([]),
  mirror: () => { tool.mirror = !tool.mirror; },
  fit,
  larger: () => { preview(about(1.1, CENTRE)); settle(); },
  smaller: () => { preview(about(1 / 1.1, CENTRE)); settle(); },
  shadow: () => { view.shadow = !view.shadow; },
  parts: () => { view.parts = !view.parts; },
};

/** Runs an action, unless a stroke is being drawn. */
function act(name) {
  if (stroke) return;
  settle();
  actions[name]();
  update();
}

pad.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.tool) choose(button.dataset.tool);
  else if (button) act(button.dataset.act);
});

for (const slider of all("[data-size]")) slider.oninput = () => resize(slider.dataset.size, +slider.value);
find(".opacity").oninput = () => update();
find(".scale").oninput = () => preview(about(2 ** find(".scale").value, CENTRE));
find(".scale").onchange = settle;

// Several pads may share a page: keys go to the one that was touched last, and to the first one before that.
const LAST = Symbol.for("dfd-last-pad");
function touched() {
  window[LAST] = element;
}
pad.addEventListener("pointerdown", touched);
pad.addEventListener("focusin", touched);
if (!window[LAST]?.isConnected) touched();

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function key(event) {
  if (!element.isConnected) {
    document.removeEventListener("keydown", key);
    return;
  }
  const at = document.activeElement ?? document.body;
  if (window[LAST] !== element || !(at === document.body || element.contains(at)) || event.defaultPrevented) return;
  if (!["[", "]"].includes(event.key) || event.metaKey) {
    // Brackets need other keys on some keyboards; letters need their place on keyboards without Latin ones.
    const latin = /^[a-z]$/i.test(event.key) || !event.code.startsWith("Key");
    const letter = (latin ? event.key : event.code.slice(3)).toLowerCase();
    if (event.altKey) return;
    if (event.ctrlKey || event.metaKey) {
      if (letter === "z") act(event.shiftKey ? "redo" : "undo");
      else if (letter === "y") act("redo");
      else return;
    } else if (letter === "b") choose("pen");
    else if (letter === "e") choose("eraser");
    else if (ARROWS[event.key] && at === ink && tool.name === "move" && strokes.length && !touches.size) {
      const [dx, dy] = ARROWS[event.key];
      nudge({ k: 1, dx: 4 * dx, dy: 4 * dy });
    } else return;
  } else if (tool.name === "move") return;
  else resize(tool.name, tool[tool.name] + (event.key === "[" ? -0.5 : 0.5));
  event.preventDefault();
}
document.addEventListener("keydown", key);

// ---- Looks ---------------------------------------------------------------------------------------------------

/** A ring as wide as the line, so that one sees where the pen or the eraser will touch. */
function cursor() {
  if (tool.name === "move") return "";
  const r = Math.max(2.5, (tool[tool.name] * ink.clientWidth) / SIZE);
  const side = 2 * Math.ceil(r) + 6;
  const ring = (width, colour) => `<circle cx="${side / 2}" cy="${side / 2}" r="${r}" fill="none" `
    + `stroke="${colour}" stroke-width="${width}"/>`;
  const svg = `<svg xmlns="${SVG}" width="${side}" height="${side}">${ring(3, "#fff")}${ring(1.2, "#1e293b")}</svg>`;
  return `url("data:image/svg+xml,${encodeURIComponent(svg)}") ${side / 2} ${side / 2}, crosshair`;
}

/** Brings buttons, sliders and marks up to date with the state. */
function update() {
  for (const button of all("[data-tool]")) button.setAttribute("aria-pressed", button.dataset.tool === tool.name);
  for (const field of all("[data-for]")) field.hidden = field.dataset.for !== tool.name;
  for (const slider of all("[data-size]")) {
    slider.value = tool[slider.dataset.size];
    slider.nextElementSibling.style.setProperty("--width", `${(2 * slider.value * ink.clientWidth) / SIZE}px`);
  }
  for (const slider of all("input:not(.scale)")) {
    const part = (slider.value - slider.min) / (slider.max - slider.min);
    slider.style.setProperty("--part", `${100 * part}%`);
  }
  find("[data-act=mirror]").setAttribute("aria-pressed", tool.mirror);
  find("[data-act=shadow]").setAttribute("aria-pressed", view.shadow);
  find("[data-act=parts]").setAttribute("aria-pressed", view.parts);
  find("[data-act=undo]").disabled = !past.length;
  find("[data-act=redo]").disabled = !future.length;
  for (const name of ["clear", "fit", "larger", "smaller"]) find(`[data-act=${name}]`).disabled = !strokes.length;
  find(".scale").disabled = !strokes.length;
  find(".opacity").disabled = !view.shadow;
  find(".shadow").classList.toggle("off", !view.shadow);
  paper.style.setProperty("--opacity", find(".opacity").value);
  find(".parts").toggleAttribute("hidden", !view.parts);
  find(".axis").toggleAttribute("hidden", !tool.mirror);
  find(".hint").classList.toggle("on", !strokes.length && !stroke && !props.guide);
  ink.style.cursor = cursor();
  pad.dataset.hand = tool.name;
  pad.dataset.strokes = strokes.length;
}

/** Fits the canvases to the column and the screen, and the tools to one row without words or else to two. */
function measure() {
  const side = ink.clientWidth;
  if (!side) return;
  const pixels = Math.round(side * Math.min(3, window.devicePixelRatio || 1));
  if (pixels !== ink.width || base.canvas.width !== pixels) {
    for (const canvas of [ink, base.canvas]) canvas.width = canvas.height = pixels;
    scale = pixels / SIZE;
    redraw();
  }
  pad.classList.toggle("narrow", pad.clientWidth < 480);
  const bar = find(".tools");
  const fits = () => bar.scrollWidth <= bar.clientWidth;
  pad.classList.remove("compact", "rows");
  if (!fits()) pad.classList.add("compact");
  if (!fits()) pad.classList.replace("compact", "rows");
  update();
}
new ResizeObserver(measure).observe(pad);

let latest = 0;

/** Draws the newest shadow from Python; the ink lies on another canvas and is not touched. */
async function shadow() {
  const turn = ++latest;
  const c = find(".shadow").getContext("2d");
  const image = new Image();
  if (props.guide) {
    image.src = props.guide;
    await image.decode().catch(() => {});
  }
  if (turn !== latest) return;
  c.clearRect(0, 0, SIZE, SIZE);
  if (image.naturalWidth) c.drawImage(image, 0, 0, SIZE, SIZE);
  pad.dataset.guides = turn;
  update();
}

/** Labels everything in the page's language: Gradio sets it on <html>, from the browser or its settings. */
function translate() {
  const code = document.documentElement.lang || navigator.language || "en";
  const known = [code, code.split("-")[0]].find((name) => props.texts[name]) ?? "en";
  const apple = /Mac|iP(ad|hone|od)/.test(navigator.platform);
  const text = (name) => {
    const found = props.texts[known]?.[name] ?? props.texts.en[name] ?? "";
    return apple ? found.replace("Ctrl+", "Cmd+") : found;
  };
  pad.lang = known;
  pad.dir = RIGHT_TO_LEFT.includes(known.split("-")[0]) ? "rtl" : "ltr";
  pad.setAttribute("aria-label", text("pad"));
  ink.setAttribute("aria-label", text("canvas"));
  find(".tools").setAttribute("aria-label", text("tools"));
  find(".hint text").textContent = text("hint");
  find(".scale").setAttribute("aria-label", text("scale"));
  find(".scale").title = text("scale_tip");
  find(".opacity").setAttribute("aria-label", text("opacity"));
  find(".opacity").title = text("opacity_tip");
  for (const group of all("[data-label]")) group.setAttribute("aria-label", text(group.dataset.label));
  for (const node of all("[data-text]")) {
    const name = node.dataset.text;
    if (node.tagName === "BUTTON") node.setAttribute("aria-label", text(name));
    if (node.querySelector("span")) node.querySelector("span").textContent = text(name);
    node.title = text(`${name}_tip`);
  }
  const node = (name, attributes) => {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  find(".parts").replaceChildren(...Object.entries(props.windows ?? {}).map(([name, [x, y, size]]) => {
    const group = node("g", { style: `--hue: ${COLOURS[name] ?? "#b45309"}` });
    const low = y + size / 2 > SIZE * 0.7; // windows overlap: low ones carry their name at the bottom
    const label = node("text", { x: x + size / 2, y: low ? y + size - 8 : y + 19, "text-anchor": "middle" });
    label.textContent = text(name) || name.replaceAll("_", " ");
    group.append(node("rect", { x, y, width: size, height: size, rx: 10 }), label);
    return group;
  }));
  measure();
}
new MutationObserver(translate).observe(document.documentElement, { attributeFilter: ["lang"] });

// ---- From Python ---------------------------------------------------------------------------------------------

watch("guide", shadow);

let lastLoad = props.load?.id;
watch("load", async () => {
  const { load } = props;
  if (!load || load.id === lastLoad) return;
  lastLoad = load.id;
  const list = await loaded(checked(load.strokes));
  if (load.id !== lastLoad) return; // a newer one came meanwhile
  stroke = gesture = null; // what was being drawn belonged to the old drawing
  settle();
  // A page that answers every input with the same drawing must not go round in circles; `tell` is set where it doesn't.
  if (JSON.stringify(list) !== JSON.stringify(strokes)) commit(list);
  else {
    redraw();
    if (load.tell) emit();
  }
});

/** Begins with what this page had before, then what the browser kept, then `initial`. */
async function begin() {
  let before = null;
  try {
    before = JSON.parse(props.value || "null"); // Gradio builds a pad anew when its tab is opened again
  } catch {
    // Not a value of ours.
  }
  revision = before?.n ?? 0;
  const found = before ? null : kept();
  strokes = await loaded(checked(before?.strokes ?? found ?? props.initial));
  paint(exported, strokes, 1);
  redraw();
  update();
  // Kept and empty, the paper was cleared: what the page shows beside it belongs to another drawing.
  if (!before && (found || strokes.length)) emit();
  pad.dataset.ready = "";
}

translate();
shadow();
begin();
