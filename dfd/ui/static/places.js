// Six places for faces, and the faces that are offered for them. gr.HTML runs this file as a function of `element`,
// `props`, `trigger` and `watch`. The value is JSON: for each place null, the name of an example, or a session's JSON.

const LETTERS = "ABCDEF";

const find = (selector) => element.querySelector(selector);
const STORE = "dfd-places";
// Gradio builds components anew when their tab is opened again: what is in the places is kept by the page. And it loads
// the page anew when the connection was lost.
const places = (window.dfdPlaces ??= kept() ?? props.initial.map((name) => (name ? example(name) : null)));
let selected = Math.max(places.indexOf(null), 0);
let seen;

function example(name) {
  return { face: name, picture: props.examples[name] };
}

/** What this tab of the browser had in the places before the page was loaded anew; null where that is unknown. */
function kept() {
  const known = (entry) => entry === null || (typeof entry.face === "string" && entry.picture.startsWith("data:image/")
    && (entry.face in props.examples || entry.face.startsWith("{")));
  try {
    const found = JSON.parse(sessionStorage.getItem(STORE));
    return found.length === LETTERS.length && found.every(known) ? found : null;
  } catch {
    return null; // none, forbidden, or not ours
  }
}

function keep() {
  try {
    sessionStorage.removeItem(STORE); // where there is no room, nothing older is read instead
    sessionStorage.setItem(STORE, JSON.stringify(places));
  } catch {
    // They last as long as the page.
  }
}

/** The text of that key in the page's language, with {words} filled in. */
function text(key, words = {}) {
  const code = document.documentElement.lang || navigator.language || "en";
  const known = [code, code.split("-")[0]].find((name) => props.texts[name]) ?? "en";
  const found = props.texts[known]?.[key] ?? props.texts.en[key] ?? "";
  return found.replace(/[{](.*?)[}]/g, (whole, word) => words[word] ?? whole);
}

function button(kind, label, picture) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = kind;
  made.title = label;
  made.setAttribute("aria-label", label);
  if (picture) {
    const image = document.createElement("img");
    image.src = picture;
    image.alt = "";
    made.append(image);
  }
  return made;
}

function item(...children) {
  const made = document.createElement("li");
  made.append(...children);
  return made;
}

function offers(list, entries) {
  list.replaceChildren(...entries.map((entry) => {
    const offer = button("offer", text("fill", { letter: LETTERS[selected] }), entry.picture);
    offer.addEventListener("click", () => put(entry));
    return item(offer);
  }));
}

function show() {
  find(".chosen").replaceChildren(...places.map((entry, i) => {
    const words = { letter: LETTERS[i] };
    const place = button("place", text(entry ? "place" : "empty", words), entry?.picture);
    place.setAttribute("aria-pressed", i === selected);
    place.dataset.letter = LETTERS[i];
    place.addEventListener("click", () => { selected = i; show(); });
    const letter = document.createElement("span");
    letter.className = "letter";
    letter.textContent = LETTERS[i];
    letter.setAttribute("aria-hidden", "true");
    if (!entry) return item(place, letter);
    const clear = button("clear", text("clear", words));
    clear.textContent = "×";
    clear.addEventListener("click", () => { selected = i; put(null); });
    return item(place, letter, clear);
  }));
  const last = window.dfdLastFaces ?? [];
  offers(find(".offers.last"), last.map(({ face, session }) => ({ face: session, picture: face })));
  offers(find(".offers.examples"), Object.keys(props.examples).map(example));
  find(".none").hidden = last.length > 0;
  find(".say").textContent = text("choose", { letter: LETTERS[selected] });
  for (const named of element.querySelectorAll("[data-text]")) named.textContent = text(named.dataset.text);
}

function tell() {
  props.value = JSON.stringify(places.map((entry) => entry?.face ?? null));
}

/** Puts a face into the selected place; the next empty one is selected then. */
function put(entry) {
  places[selected] = entry;
  const empty = places.indexOf(null);
  if (entry && empty >= 0) selected = empty;
  keep();
  tell();
  show();
  trigger("input");
}

watch("put", () => {
  if (!props.put || props.put.id === seen) return;
  seen = props.put.id;
  put({ face: props.put.session, picture: props.put.picture });
});

new MutationObserver(show).observe(document.documentElement, { attributeFilter: ["lang"] });
seen = props.put?.id;
tell();
show();
find(".places").dataset.ready = "";
trigger("input");
