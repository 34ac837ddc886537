// The page that adds keys: a file that is chosen or dropped is judged in a worker, and sent
// straight into the bucket once the button is pressed, with a form that is signed then.

const $ = (id) => document.getElementById(id);
const send = $("send");
const form = send.querySelector("form");
const input = $("file");
const button = $("send-button");
const paths = (globalThis.trustedTypes ?? { createPolicy: (_, p) => p }).createPolicy("judge", { createScriptURL: (path) => path });
const number = (n) => n.toLocaleString("en-US");
const count = (n, one, many = one + "s") => number(n) + " " + (n === 1 ? one : many);

const words = {
  "too-long": "longer than 2,048 bytes", tab: "with a tab", "control-character": "with a control character",
  "invisible-character": "with an invisible character", "invalid-text": "with bytes that are no text",
  "no-key": "without a key in its column", "other-columns": "with more or fewer columns than the first",
  "unpaired-quotes": "with quotes that do not pair", "endless-row": "with a quote that is never closed: nothing after it is read",
};
const traits = {
  json: "It is JSON.", html: "It is HTML or XML.", heading: "There is a heading.", comments: "There are comments or rulers.",
  numbers: "Numbers or bullets stand in front of the lines.", quotes: "The lines stand in quotes.",
  separators: "There is a comma, a semicolon or a bar in each line, as if there were several columns.", "some-quotes": "Some lines stand in quotes, others do not.",
  typography: "There are dashes or quotes as word processors make them.", "no-break-space": "There are no-break spaces inside lines.",
};

let judged = null; // what the worker said of the chosen file
let worker = null;

$("first-here").hidden = false;

function fact(name, text, mono) {
  const row = document.createElement("div"), dt = document.createElement("dt"), dd = document.createElement("dd");
  dt.textContent = name;
  dd.textContent = text;
  if (mono) dd.className = "mono";
  row.append(dt, dd);
  $("judged-facts").append(row);
}

function note(text) {
  const li = document.createElement("li");
  li.textContent = text;
  $("judged-notes").append(li);
}

function mark(kind, text) {
  $("judged-mark").className = "mark " + kind;
  $("judged-mark").textContent = text;
}

function show(file, said) {
  const at = (f) => (f.lines > 1 ? ` (${count(f.lines, "line")}, the first is line ${number(f.first)})` : ` (line ${number(f.first)})`);
  const heading = said.refused["skipped-heading"]; // of a table: passed over, not refused
  delete said.refused["skipped-heading"];
  const rejected = said.rejected.filter((r) => r.reason !== "skipped-heading");
  const refused = Object.values(said.refused).reduce((a, b) => a + b, 0);
  judged = { keys: said.keys, repeats: said.repeats, refused };
  $("judged-says").textContent = "";
  if (said.cause) {
    judged = null;
    mark("stop", "Cannot be read");
    note({
      empty: "There is no key in it.",
      "no-column": "Which of its columns has the keys cannot be told. Call one, and only one, key, license, code or serial in the first line.",
      archive: "It is a spreadsheet or an archive. Save the keys as a text file or as .csv, and choose that.",
      binary: "It is no text file: a document or a web page, perhaps. Save the keys as a text file, and choose that.",
    }[said.cause]);
    button.disabled = true;
    return;
  }
  fact("Lines", `${number(said.keys)} with a key` + (said.blank ? `, ${number(said.blank)} blank` : "") + (heading ? ", and a heading" : ""));
  if (said.shape && said.shape.length < 80) fact("They look like", said.shape, true);
  if (said.oddLines) fact("Look different", `${count(said.oddLines, "line")}: ${said.odd.map(number).join(", ")}` + (said.oddLines > said.odd.length ? " …" : ""));
  if (said.repeats) fact("Twice in the file", `${count(said.repeats, "line")}, which will be skipped`);
  for (const [reason, n] of Object.entries(said.refused)) fact("Refused", `${count(n, "line")} ${words[reason]}`);
  if (rejected.length) fact("Those lines", rejected.slice(0, 10).map((r) => number(r.line)).join(", ") + (refused > 10 ? " …" : ""));
  if (said.first) fact("First and last", said.first === said.last ? said.first : `${said.first}, ${said.last}`, true);
  for (const f of said.asked) note(traits[f.what] + at(f) + " You are asked how to read it.");
  for (const f of said.warned) note(traits[f.what] + at(f));
  if (said.asked.length) mark("warn", "Will ask you");
  else if (refused || said.warned.length || said.oddLines) mark("warn", "Please look");
  else mark("good", "Looks good");
  button.textContent = said.asked.length ? "Upload the file" : `Upload ${count(said.keys, "key")}`;
}

function judge() {
  const file = input.files[0];
  worker?.terminate();
  judged = null;
  button.disabled = false;
  button.textContent = "Upload the file";
  $("judged-facts").replaceChildren();
  $("judged-notes").replaceChildren();
  $("judged").hidden = !file;
  if (!file) return;
  $("judged-name").textContent = file.name;
  mark("calm", "Looking");
  const bar = $("judged-progress");
  bar.hidden = false;
  worker = new Worker(paths.createScriptURL(send.dataset.judge), { type: "module" });
  worker.onmessage = ({ data }) => {
    if (data.read) bar.value = (100 * data.read) / file.size;
    if (!data.said) return;
    bar.hidden = true;
    show(file, data.said);
  };
  worker.onerror = () => {
    bar.hidden = true;
    mark("", "Not looked at");
    $("judged-says").textContent = "Your browser could not look at the file. You can upload it all the same.";
  };
  worker.postMessage({ name: file.name, file });
}

input.addEventListener("change", judge);

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const file = input.files[0];
  const bar = $("judged-progress");
  const fail = (text) => {
    bar.hidden = true;
    button.disabled = false;
    $("judged").hidden = false;
    $("judged-says").textContent = text;
  };
  button.disabled = true;
  const again = "The file did not arrive, and nothing was added. Look whether you are online, and press the button again.";
  try {
    const answer = await fetch(`${send.dataset.form}&${new URLSearchParams({ name: file.name, size: file.size })}`);
    const signed = answer.ok && (await answer.json());
    if (!signed?.Address) return fail(signed ? Object.values(signed).flat().join(" ") : "You are not signed in any more. Open the page again.");
    const data = new FormData();
    for (const [name, value] of Object.entries(signed.Fields)) data.append(name, value);
    data.append("file", file);
    const request = new XMLHttpRequest();
    request.open("POST", signed.Address);
    bar.hidden = false;
    let told = 0;
    request.upload.onprogress = ({ loaded, total }) => {
      bar.value = (100 * loaded) / total;
      if (Date.now() - told < 5000) return;
      told = Date.now();
      $("judged-says").textContent = `${Math.floor((100 * loaded) / total)} % is sent.`;
    };
    request.onerror = () => fail(again);
    request.onload = () => {
      if (request.status !== 201) return fail(again);
      location.href = `${send.dataset.arrived}?${new URLSearchParams({ key: signed.Fields.key, ...judged })}`;
    };
    request.send(data);
  } catch {
    fail(again);
  }
});
