// The face, the last faces, and files on their way to the visitor. gr.HTML runs this file as a function of `element`,
// `props`, `trigger` and `watch`.

const KEPT = 8;
const BURST = 1500; // ms: faces that follow each other faster are one result, as when a slider is dragged

const RETRY = 2000; // ms until a drawing that got no answer is sent again, doubled each time
const RETRIES = 6;
const GRADIO_BUSY = "This application is currently busy";

const find = (selector) => element.querySelector(selector);
const results = find(".results");
const [older, strip] = [find(".old"), find(".strip")];
// {face, session}, newest first. Gradio builds components anew when their tab is opened again, so the page keeps them;
// the places of another tab offer them.
let last = props.history ? (window.dfdLastFaces ?? []) : [];
let shownAt = -Infinity;
let unanswered = 0; // requests in a row
let retry;

/** The text of that key in the page's language, with {words} filled in. */
function text(key, words = {}) {
  const code = document.documentElement.lang || navigator.language || "en";
  const known = [code, code.split("-")[0]].find((name) => props.texts[name]) ?? "en";
  const found = props.texts[known]?.[key] ?? props.texts.en[key] ?? "";
  return found.replace(/[{](.*?)[}]/g, (whole, word) => words[word] ?? whole);
}

function list() {
  strip.replaceChildren(...last.map(({ face }, i) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    const image = document.createElement("img");
    button.type = "button";
    button.dataset.index = i;
    button.title = text("restore");
    image.src = face;
    image.alt = text("restore");
    button.append(image);
    item.append(button);
    return item;
  }));
}

function say() {
  const shot = props.shot;
  const problem = unanswered ? "busy" : shot?.problem;
  results.classList.toggle("stale", Boolean(problem));
  find(".empty").textContent = problem ? text(problem) || problem : shot?.face ? "" : text("empty");
  find("figcaption").textContent = shot?.seconds ? text("seconds", { seconds: shot.seconds.toFixed(2) }) : "";
  results.dataset.shot = shot?.id ?? "";
}

function update() {
  const shot = props.shot;
  clearTimeout(retry);
  unanswered = 0;
  if (shot?.face) {
    const current = find(".new");
    if (!current.hidden) older.src = current.src;
    const next = current.cloneNode(); // a new element starts its animation anew
    next.src = shot.face;
    next.alt = text("face");
    next.hidden = false;
    current.replaceWith(next);
    const now = performance.now();
    if (shot.session) {
      const entry = { face: shot.face, session: shot.session };
      const again = now - shownAt < BURST || last[0]?.session === shot.session;
      last = [entry, ...(again ? last.slice(1) : last)].slice(0, KEPT);
      if (props.history) window.dfdLastFaces = last;
      shownAt = now;
      list();
    }
  }
  say();
}

// `NO_ANSWER`: asks again, later each time, and not when all others do.
results.addEventListener("unanswered", () => {
  clearTimeout(retry);
  if (unanswered < RETRIES) {
    retry = setTimeout(() => trigger("retry"), RETRY * 2 ** unanswered * (0.5 + Math.random()));
    unanswered += 1;
  }
  say();
  requestAnimationFrame(hush); // once Gradio has spoken
});

/** Takes away the English message of Gradio that the sentence here stands for. */
function hush() {
  for (const message of document.querySelectorAll("[data-testid=toast-body]")) {
    if (message.textContent.includes(GRADIO_BUSY)) message.querySelector("[data-testid=toast-close]").click();
  }
}

strip.addEventListener("click", (event) => {
  const index = event.target.closest("button")?.dataset.index;
  if (index === undefined) return;
  props.value = last[index].session;
  trigger("select");
});

/** Saves a file, or hands it to what the device shares pictures with; where it cannot, saves it. */
async function deliver({ name, url, share }) {
  const file = new File([await (await fetch(url)).blob()], name, { type: url.slice(5, url.indexOf(";")) });
  if (share && navigator.canShare?.({ files: [file] })) {
    try {
      return await navigator.share({ files: [file], title: document.title });
    } catch (error) {
      if (error.name === "AbortError") return;
    }
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

let delivered = props.file?.id;
watch("file", () => {
  if (!props.file || props.file.id === delivered) return;
  delivered = props.file.id;
  deliver(props.file);
});

let shown;
watch("shot", () => {
  if (props.shot?.id === shown) return;
  shown = props.shot?.id;
  update();
});
new MutationObserver(() => { say(); list(); }).observe(document.documentElement, { attributeFilter: ["lang"] });
shown = props.shot?.id;
list();
update();
