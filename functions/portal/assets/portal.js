// What pages do more with script than without. Elements ask for it by attributes; each page is
// complete if nothing of this runs.

document.documentElement.classList.add("scripted");

// The one way by which text becomes a document, or an address a worker: both are the portal's own.
const own = (address) => new URL(address, location.href).origin === location.origin;
const policy = globalThis.trustedTypes?.createPolicy("keypool", {
  createHTML: (html) => html,
  createScriptURL: (address) => {
    if (!own(address)) throw new TypeError("a script from elsewhere");
    return address;
  },
}) ?? { createHTML: (html) => html, createScriptURL: (address) => address };

// say has screen readers say a sentence, when they are done with the last one.
const voice = document.createElement("div");
voice.className = "only-read";
voice.setAttribute("role", "status");
document.body.append(voice);
const say = (text) => (voice.textContent = text);

// data-copy: a button that copies the text, or the value, of the element with that id.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  event.preventDefault();
  const from = document.getElementById(button.dataset.copy);
  button.dataset.says ??= button.textContent;
  try {
    await navigator.clipboard.writeText((from.value ?? from.textContent).trim());
    button.textContent = "Copied";
  } catch {
    button.textContent = "Copy it by hand";
    from.select ? from.select() : getSelection().selectAllChildren(from);
  }
  say(button.textContent);
  clearTimeout(button.back);
  button.back = setTimeout(() => (button.textContent = button.dataset.says), 2000);
});

// A form is sent once, however often its button is pressed. What it sends to a frame is shown
// there, and changes nothing.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.submitter?.formTarget) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "1";
  setTimeout(() => delete form.dataset.sent, 5000);
});

// data-refresh="1000": an element with an id that is shown as it is now, again and again after
// so many milliseconds, until the page shows it without the attribute. A tab that nobody sees
// rests. An error, and five minutes without a change or a touch, slow it down.
const restless = 300_000;
let slower = 1;
let quietSince = Date.now();
let spokenAt = 0;
let unsaid; // what is to be said five seconds after the last
for (const touch of ["pointerdown", "keydown"]) document.addEventListener(touch, () => (quietSince = Date.now()), { passive: true });

const seen = () => new Promise((go) => {
  if (!document.hidden) return go();
  document.addEventListener("visibilitychange", go, { once: true });
});
const pause = (ms) => new Promise((go) => setTimeout(go, ms));

async function refresh() {
  for (;;) {
    const regions = [...document.querySelectorAll("[data-refresh][id]")];
    if (!regions.length) return;
    const every = Math.min(...regions.map((r) => Number(r.dataset.refresh) || 2000));
    await pause(Math.min(60_000, every * slower * (Date.now() - quietSince > restless ? 5 : 1)));
    await seen();
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(20_000) });
      if (answer.redirected) return location.reload(); // nobody is signed in any more
      if (!answer.ok) throw new Error(answer.status);
      const page = new DOMParser().parseFromString(policy.createHTML(await answer.text()), "text/html");
      for (const region of regions) show(region, page.getElementById(region.id));
      slower = 1;
    } catch {
      slower = Math.min(slower * 2, 32);
    }
  }
}

// show replaces an element by what became of it, unless somebody is typing or choosing there.
function show(region, now) {
  const same = (e) => e.outerHTML.replace(/name="once" value="[^"]*"/g, "").replace(/ open=""/g, "");
  if (!now) return region.removeAttribute("data-refresh");
  const at = document.activeElement;
  const inside = region.contains(at) && at !== region;
  const selected = getSelection();
  if (same(region) === same(now)) return;
  if (inside && at.matches("input, textarea, select")) return;
  if (!selected.isCollapsed && region.contains(selected.anchorNode)) return;
  quietSince = Date.now();

  const reached = "a[href], button, summary, [tabindex]";
  const place = inside ? [...region.querySelectorAll(reached)].indexOf(at) : -1;
  const opened = [...region.querySelectorAll("details")].map((d) => d.open);
  const fresh = document.importNode(now, true);
  [...fresh.querySelectorAll("details")].forEach((d, i) => (d.open ||= Boolean(opened[i])));
  region.replaceWith(fresh);
  if (place >= 0) {
    const all = [...fresh.querySelectorAll(reached)];
    const next = (at.id && document.getElementById(at.id)) || all.find((e) => e.textContent === at.textContent && e.tagName === at.tagName) || all[place] || document.getElementById("main");
    next.focus({ preventScroll: true });
  }
  const news = fresh.querySelector("[role=status]")?.textContent.trim();
  if (!news) return;
  clearTimeout(unsaid);
  unsaid = setTimeout(() => {
    spokenAt = Date.now();
    say(news);
  }, spokenAt + 5000 - Date.now());
}
refresh();

// data-preview: a button of a form that sends it to a frame (formtarget), which happens by
// itself a moment after somebody typed. Each time it is a new frame, so that the browser's Back
// leads back from the page, and the former one is seen until the next is there.
for (const button of document.querySelectorAll("button[data-preview]")) {
  let later;
  const send = () => {
    const former = document.querySelector(`iframe[name="${button.formTarget}"]`);
    const next = former.cloneNode();
    next.removeAttribute("src");
    next.hidden = true;
    next.name = `${former.name.split("-")[0]}-${Date.now()}`;
    for (const into of button.form.querySelectorAll(`[formtarget="${former.name}"]`)) into.formTarget = next.name;
    former.after(next);
    button.form.requestSubmit(button);
    next.addEventListener("load", () => {
      if (next.hidden) former.remove();
      next.hidden = false;
    });
  };
  const soon = () => {
    clearTimeout(later);
    later = setTimeout(send, 600);
  };
  button.form.addEventListener("input", soon);
  button.form.addEventListener("change", soon);
}

// data-drop="id": an area on which files may be dropped; they are given to the file field with
// that id, as if they were chosen there.
for (const area of document.querySelectorAll("[data-drop]")) {
  const field = document.getElementById(area.dataset.drop);
  const over = (is) => area.classList.toggle("over", is);
  area.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    over(true);
  });
  area.addEventListener("dragleave", (event) => over(area.contains(event.relatedTarget)));
  area.addEventListener("drop", (event) => {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    over(false);
    field.files = event.dataTransfer.files;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  });
}

// data-insert: a button that writes its tag into the field with that id, where the cursor is. It
// is hidden where nothing of this runs.
for (const button of document.querySelectorAll("button[data-insert]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const field = document.getElementById(button.dataset.insert);
    field.setRangeText(button.value, field.selectionStart, field.selectionEnd, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  });
}

// data-reads: a field for a file, whose text goes into the field with that id. What it stands in
// is hidden where nothing of this runs.
for (const input of document.querySelectorAll("input[data-reads]")) {
  input.closest("[data-file]").hidden = false;
  input.addEventListener("change", async () => {
    if (input.files.length) document.getElementById(input.dataset.reads).value = await input.files[0].text();
  });
}
