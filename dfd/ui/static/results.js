// The face, the last faces, and files on their way to the visitor. gr.HTML runs this file as a function of `element`,
// `props`, `trigger` and `watch`.

const KEPT = 8;
const STORE = "dfd-last-faces";
const MOST = 2e6; // characters: others need room in the browser's store as well
const BURST = 1500; // ms: faces that follow each other faster are one result, as when a slider is dragged

const RETRY = 2000; // ms until a drawing that got no answer is sent again, doubled each time
const RETRIES = 6;
const GRADIO_BUSY = "This application is currently busy";

const find = (selector) => element.querySelector(selector);
const results = find(".results");
const [older, strip] = [find(".old"), find(".strip")];
// {face, session}, newest first. Gradio builds components anew when their tab is opened again, so the page keeps them;
// the places of another tab offer them. And it loads the page anew when the connection was lost.
const reloaded = props.history && !window.dfdLastFaces ? kept() : [];
let last = props.history ? (window.dfdLastFaces ??= reloaded) : [];
let shownAt = -Infinity;
let shown = props.shot;
let unanswered = 0; // requests in a row
let retry;

/** The text of that key in the page's language, with {words} filled in. */
function text(key, words = {}) {
  const code = document.documentElement.lang || navigator.language || "en";
  const known = [code, code.split("-")[0]].find((name) => props.texts[name]) ?? "en";
  const found = props.texts[known]?.[key] ?? props.texts.en[key] ?? "";
  return found.replace(/[{](.*?)[}]/g, (whole, word) => words[word] ?? whole);
}

/** The last faces that this tab of the browser had before the page was loaded anew. */
function kept() {
  try {
    const known = ({ face, session }) => face.startsWith("data:image/") && typeof session === "string";
    return JSON.parse(sessionStorage.getItem(STORE)).filter(known).slice(0, KEPT);
  } catch {
    return []; // none, forbidden, or not ours
  }
}

function keep() {
  window.dfdLastFaces = last;
  const list = [...last];
  let text;
  do text = JSON.stringify(list); while (text.length > MOST && list.pop());
  try {
    sessionStorage.setItem(STORE, text);
  } catch {
    // Full or forbidden: they last as long as the page.
  }
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

/** Shows the newest shot; `listed` says whether it is one of the last faces. */
function update(listed = true) {
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
    if (shot.session && listed) {
      const entry = { face: shot.face, session: shot.session };
      const again = now - shownAt < BURST || last[0]?.session === shot.session;
      last = [entry, ...(again ? last.slice(1) : last)].slice(0, KEPT);
      if (props.history) keep();
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

// Requests may be answered in another order than they were made in: what is older than what is shown is put back.
watch("shot", () => {
  if (props.shot?.id === shown?.id) return;
  if (props.shot?.turn && props.shot.turn < shown?.turn) {
    props.shot = shown;
    return;
  }
  shown = props.shot;
  update();
});
new MutationObserver(() => { say(); list(); }).observe(document.documentElement, { attributeFilter: ["lang"] });
list();
update(!reloaded.length); // after a reload, the face that the page comes with is nobody's drawing
