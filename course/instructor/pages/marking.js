"use strict";
// The marking page. All changes go through `save`, which shows a change at once, sends it in turn
// with the versions of the answers that the grader saw, and shows what the server says.

const element = (id) => document.getElementById(id);
const state = {
  questions: [], question: null, groups: [], index: 0, undo: [], outdated: [],
  isOne: false, waiting: 0, epoch: 0, offered: "",
  drafts: new Map(), // comments that could not be saved, by the id of the answer
  held: { ids: [], until: 0 }, // answers that have just changed: keys do not change them now
  slots: new Map(), // the comments that were used before, by question
  problemAt: "", // the answer at which the message stays until it is closed
  separate: new Set(), // the answers that are marked separately from identical ones
  places: new Map(), // the answer that was selected last, by question
};
let queue = Promise.resolve();
let undoing = Promise.resolve();

history.replaceState(null, "", "/" + location.hash); // the token does not stay in the address

// --- Requests ---------------------------------------------------------------------------------

class Refused extends Error {
  constructor(message, status) { super(message); this.status = status; }

  get isConflict() { return this.status === 409; }
}

async function request(action, content) {
  let response;
  try {
    response = await fetch("/api/" + action, {
      method: "POST", credentials: "same-origin", headers: { "Content-Type": "application/json" },
      body: JSON.stringify(content),
    });
  } catch {
    throw new Refused("The server does not answer. Start course mark again, and open its new address.", 0);
  }
  const text = await response.text();
  if (response.ok) return JSON.parse(text);
  let message = text;
  try { message = JSON.parse(text).error; } catch { /* a plain text */ }
  throw new Refused(message, response.status);
}

// A message about a refused change stays until it is closed, or another answer is selected. The box
// stays in the page when it is empty, so that screen readers notice a message in it.
function show(problem, at = "") {
  state.problemAt = at;
  const close = button("Close", () => { show(""); focusAnswer(); });
  element("problem").replaceChildren(...(problem ? [make("p", problem), close] : []));
}

// `kind` is "saved", "refused", or nothing.
function say(text, kind = "") {
  element("status").replaceChildren(text);
  element("status").title = text;
  element("status").className = kind;
  state.offered = "";
}

// --- Marks ------------------------------------------------------------------------------------

const round = (value) => Math.round(value * 1e6) / 1e6;
const shown = (value) => (value === null || value === undefined ? "–" : String(Math.round(value * 100) / 100));
const signed = (points) => (points < 0 ? "−" : "+") + shown(Math.abs(points));
const markOf = (answer) => ({
  items: answer.items, adjustment: answer.adjustment, comment: answer.comment, pending: answer.pending,
});
const sameMark = (one, other) => JSON.stringify(markOf(one)) === JSON.stringify(markOf(other));
const current = () => state.groups[state.index];
const focusAnswer = () => current()?.article.focus({ preventScroll: true });

const counts = (items, item) => !item.requires || items.some((each) => each.key === item.requires);

function sumOf(items) {
  const start = state.question.deducts && items.length ? state.question.maximum : 0;
  return items.filter((each) => counts(items, each)).reduce((sum, each) => sum + each.points, start);
}

function scoreOf(mark) {
  if (!mark.items.length && mark.adjustment === null) return null;
  const total = sumOf(mark.items) + (mark.adjustment ?? 0);
  return round(Math.min(Math.max(total, 0), state.question.maximum));
}

// The mark, with an adjustment that does not lead beyond the limits of the score.
function limited(mark) {
  if (!mark.items.length || !mark.adjustment) return mark;
  const sum = sumOf(mark.items);
  const most = Math.max(state.question.maximum - sum, 0);
  const least = Math.min(-sum, 0);
  return { ...mark, adjustment: round(Math.min(Math.max(mark.adjustment, least), most)) || null };
}

// The items of the rubric, and those that the answer has although they are no longer in it.
function itemsFor(group) {
  const known = state.question.items;
  const others = group ? group.mark.items.filter((each) => !known.some((item) => item.key === each.key)) : [];
  return [...known, ...others];
}

// Items with the points that they have now.
function presentItems(items) {
  const found = items.map((each) => state.question.items.find((item) => item.key === each.key) ?? each);
  return found.map(({ html, ...item }) => item);
}

const flagOf = (group) => ({ flagged: group.flagged, reason: group.reason, flagger: group.flagger });

// Options: `flag` instead of a mark; `undone`, the entry of `state.undo` that this change takes
// back; `toggled`, the key of an item; `isTyped`, if the comment was typed; `said`, what the status
// says when it is saved, in place of the score; and `what`, which part of the mark is changed, for
// the status when it is undone.
function save(group, mark, options = {}) {
  if (!group) return;
  const { flag, undone, toggled = "", isTyped = false, said, what = "" } = options;
  const action = flag ? "flag" : "mark";
  const typed = action === "mark" && !undone && (isTyped || draftOf(group)) ? { text: mark.comment, base: group.mark.comment } : null;
  if (!graderName()) {
    keepDraft(group, { typed });
    if (undone) undone.isUndoing = false;
    drawGroup(group);
    drawPanel();
    show(NO_NAME);
    element("grader").focus();
    return;
  }
  const entry = undone ?? {
    question: state.question.key, ids: group.answers.map((each) => each.id), grader: group.grader,
    mark: group.mark, flag: flagOf(group), action, before: {}, after: null, toggled, what,
  };
  if (!undone) state.undo.push(entry);
  if (action === "mark") mark = limited(mark);
  const seen = { ...group };
  group.mark = mark;
  Object.assign(group, flag);
  if (action === "mark") {
    const score = scoreOf(mark);
    const { automatic } = group.answers[0];
    const given = mark.pending ? "pending" : "marked";
    group.score = score ?? automatic;
    group.status = score !== null ? given : automatic === null ? "open" : "automatic";
    group.earlier = null;
    if (!undone) forgetDraft(group);
  }
  drawGroup(group);
  drawIdentical(group);
  if (group === current()) group.article.scrollIntoView({ block: "nearest" }); // it can be higher now
  drawPanel();
  say("Saving…");
  const question = state.question;
  const change = {
    action, entry, epoch: state.epoch, isUndo: Boolean(undone), said, typed, seen,
    content: {
      question: question.key, grader: (undone && entry.grader) || element("grader").value,
      mark: { ...mark, items: mark.items.map((each) => each.key) }, ...flagOf(group),
    },
  };
  state.waiting += 1;
  group.waiting = (group.waiting ?? 0) + 1;
  queue = queue.then(() => send(group, change)).finally(() => { state.waiting -= 1; });
}

async function send(group, change) {
  const { entry, content, isUndo, epoch } = change;
  group.waiting -= 1;
  if (epoch !== state.epoch) { // an earlier change was refused, and this one depends on it
    notSaved(entry);
    keepDraft(group, change);
    alsoNotSaved(group);
    return;
  }
  content.versions = Object.fromEntries(group.answers.map((each) => [each.id, each.version]));
  try {
    if (isUndo && group.answers.some((each) => each.version !== entry.after[each.id])) throw new Refused("", 409);
    const found = await request(change.action, content);
    const after = Object.fromEntries(found.answers.map((each) => [each.id, each.version]));
    if (isUndo) wasUndone(entry, after);
    else Object.assign(entry, { before: content.versions, after });
    const byId = new Map(found.answers.map((each) => [each.id, each]));
    for (const answer of group.answers) Object.assign(answer, byId.get(answer.id));
    if (content.question === state.question.key && found.scheme !== state.question.scheme) state.isOutdated = true;
    if (epoch !== state.epoch) return;
    if (!group.waiting) {
      take(group);
      drawGroup(group);
      drawIdentical(group);
      if (group === current()) drawPanel();
      drawProgress();
    }
    if (!state.problemAt) show("");
    say(savedText(group, change), "saved");
    if (state.isOutdated && state.waiting === 1) await followScheme();
  } catch (error) {
    await refuse(group, error, change);
  }
}

function savedText(group, { isUndo, said, entry }) {
  const name = titleOf(group);
  if (said && !isUndo) return `Saved: ${said(name)}`;
  const points = group.status === "open" ? "no score" : `${shown(group.score)} of ${shown(state.question.maximum)}`;
  if (!isUndo) return `Saved: ${name}, ${points}`;
  return ABOUT.includes(entry.what) ? `Undone: ${entry.what} ${name}` : `Undone: ${name}: ${entry.what}, ${points}`;
}

// Changes that leave the score as it is.
const ABOUT = ["comment on", "flag on", "removal of the flag on", "reason of the flag on"];

// Somebody has changed the mark scheme: show it, and stay at the same answer.
async function followScheme() {
  if (isTyping()) return;
  await load(state.question.key, current()?.answers[0].id);
  show("The mark scheme has changed since this page was loaded. The page now shows its present points, which your last marks have.");
}

// Nothing was saved: show the present state, and forget changes that depend on the refused one.
// Keys that follow at once were meant for another state: they do not change this answer.
async function refuse(group, error, change) {
  state.epoch += 1;
  notSaved(change.entry, error.isConflict);
  keepDraft(group, change);
  hold(group.answers, Infinity);
  const name = titleOf(group);
  const ids = group.answers.map((each) => each.id);
  let other = { who: "", what: `${name}, or its mark` };
  const comment = element("comment");
  const typed = document.activeElement === comment && current() === group ? { text: comment.value, base: change.entry.mark.comment } : null;
  try {
    // The grader can be at another answer by now, and stays there.
    await load(state.question.key, (current() ?? group).answers[0].id);
    const present = state.all.find((each) => each.answers.some(({ id }) => ids.includes(id)));
    if (present && !change.isUndo) other = changeOf(change.seen, { ...present, answers: group.answers });
    if (typed && document.activeElement === comment && current()?.answers.some(({ id }) => ids.includes(id))) comment.value = withPresent(typed, current().mark.comment).text;
  } catch {
    for (const each of state.groups) { take(each); drawGroup(each); }
    drawPanel();
  }
  hold(group.answers, Date.now() + HELD);
  const what = error.isConflict
    ? `Not saved: ${other.who || "somebody else"} has changed ${other.what}. The page now shows the present state.`
    : `Not saved: ${error.message} (${name})`;
  const draft = state.drafts.has(group.answers[0].id) ? " Your comment is in its field: Esc closes this message, and Esc again saves the comment." : "";
  say(`Not saved: ${name}`, "refused");
  show(what + draft, current()?.answers[0].id ?? "");
}

// Changes that were made before the refusal, and would have been sent after it.
function alsoNotSaved(group) {
  const { ids } = state.held;
  if (group.answers.every((each) => ids.includes(each.id))) return; // the message is about it
  const text = element("problem").firstChild?.textContent ?? "";
  const also = text ? `${text} Not saved either: ${titleOf(group)}.` : `Not saved: ${titleOf(group)}.`;
  show(also, state.problemAt || current()?.answers[0].id);
}

const NO_NAME = "Enter your name in the field Grader first.";
const HELD = 1500; // milliseconds

function hold(answers, until) { state.held = { ids: answers.map((each) => each.id), until }; }

const isHeld = (group) => Date.now() < state.held.until && group.answers.some((each) => state.held.ids.includes(each.id));

// --- Comments that could not be saved ---------------------------------------------------------

const draftOf = (group) => group && state.drafts.get(group.answers[0].id);

function keepDraft(group, { typed }) {
  if (!typed) return;
  for (const { id } of group.answers) state.drafts.set(id, typed);
}

function forgetDraft(group) {
  for (const { id } of group.answers) state.drafts.delete(id);
}

// A typed comment, after what somebody else has written since the grader began.
function withPresent(typed, present) {
  if (!present || present === typed.base || typed.text.includes(present)) return typed;
  const own = typed.text.startsWith(typed.base) ? typed.text.slice(typed.base.length).trim() : typed.text;
  return { text: [present, own].filter(Boolean).join("\n\n"), base: present, isJoined: true };
}

function joinDrafts() {
  for (const { id, comment } of state.all.flatMap((group) => group.answers)) {
    if (state.drafts.get(id)?.text === comment) state.drafts.delete(id); // it was saved meanwhile
    else if (state.drafts.has(id)) state.drafts.set(id, withPresent(state.drafts.get(id), comment));
  }
}

// The text in the field if it is neither saved nor being saved, with the comment before it.
function typedComment() {
  const group = current();
  const text = element("comment").value.trim();
  if (!group || text === (draftOf(group)?.text ?? group.mark.comment)) return null;
  return { text, base: draftOf(group)?.base ?? group.answers[0].comment };
}

// A score, or a reason for a flag, that is typed but not yet entered.
function hasUnsavedField() {
  const group = current();
  const typed = document.activeElement;
  if (typed === element("score")) return typed.value.trim() !== scoreText(group);
  return typed === element("reason") && typed.value.trim() !== (group?.reason ?? "");
}

// What a reload would lose: it is a comment that is not saved afterwards.
function storeDrafts() {
  const typed = typedComment();
  if (typed) keepDraft(current(), { typed });
  for (const group of state.all ?? []) {
    const [{ comment }] = group.answers;
    if (group.mark.comment !== comment && !draftOf(group)) keepDraft(group, { typed: { text: group.mark.comment, base: comment } });
  }
  sessionStorage.setItem("drafts", JSON.stringify([...state.drafts]));
  sessionStorage.setItem("slots", JSON.stringify([...state.slots]));
}

// The mark with the comment that the grader sees in the field.
const markToChange = (group) => ({ ...group.mark, comment: draftOf(group)?.text ?? group.mark.comment });

// Let a group show what the server has.
function take(group) {
  const [first] = group.answers;
  group.mark = markOf(first);
  for (const name of ["score", "status", "flagged", "reason", "flagger", "assignee", "grader", "earlier"]) group[name] = first[name];
}

// An item that is toggled decides the score: an adjustment, or a score without items, ends.
function toggle(position) {
  const group = current();
  const item = itemsFor(group)[position];
  if (!group || !item) return;
  const { mark } = group;
  const has = mark.items.some((each) => each.key === item.key);
  const before = toggledBefore(group, item);
  const items = has
    ? mark.items.filter((each) => each.key !== item.key)
    : itemsFor(group).filter((each) => each === item || mark.items.some((one) => one.key === each.key));
  const changed = before
    ? { items: presentItems(before.items), adjustment: before.adjustment, pending: before.pending }
    : { items: items.map(({ html, ...item }) => item), adjustment: null, pending: false };
  const what = [`${has ? "removed" : "added"}: ${item.label}`];
  if (before && before.adjustment !== null) what.push("the entered score is back");
  else if (!before && mark.adjustment !== null) what.push(mark.items.length ? `adjustment of ${signed(mark.adjustment)} removed` : `entered score of ${shown(mark.adjustment)} removed`);
  const said = (name) => `${name}, ${stateText(group)}, ${what.join(", ")}`;
  save(group, { ...markToChange(group), ...changed }, { toggled: item.key, said, what: `${has ? "removal of " : ""}item ${item.label}` });
}

// The mark before the last change of this page, if that was toggling the same item: a second press
// takes the first one back.
function toggledBefore(group, item) {
  const { answers } = group;
  const last = state.undo.findLast((each) => each.ids?.includes(answers[0].id));
  const isSame = last?.toggled === item.key && last.ids.length === answers.length
    && answers.every(({ id, version }) => last.ids.includes(id) && (!last.after || last.after[id] === version));
  return isSame && !last.isUndoing ? last.mark : null;
}

// Selected items stay, and the difference from their sum becomes the adjustment.
function setScore(score) {
  const group = current();
  if (!group) return;
  const { items } = group.mark;
  const isSum = items.length > 0 && scoreOf({ items, adjustment: null }) === score;
  const adjustment = isSum ? null : items.length ? round(score - sumOf(items)) : score;
  save(group, { ...markToChange(group), adjustment, pending: false }, { what: `score of ${shown(score)}` });
}

function removeAdjustment() {
  const group = current();
  if (!group?.mark.adjustment) return;
  const what = `adjustment of ${signed(group.mark.adjustment)} removed`;
  save(group, { ...markToChange(group), adjustment: null, pending: false }, { said: (name) => `${name}, ${stateText(group)}, ${what}`, what: "removal of the adjustment" });
}

function enterScore() {
  const group = current();
  if (!group) return;
  const text = element("score").value.trim().replace(",", ".");
  if (text === shown(group.score) || (text === "" && group.score === null)) {
    if (element("status").className === "refused") say("");
    drawPanel();
    return;
  }
  const value = Number(text);
  let problem = "";
  if (text !== "" && !Number.isFinite(value)) problem = "The score is not a number.";
  else if (value > state.question.maximum) problem = `The score is at most ${shown(state.question.maximum)}.`;
  else if (value < 0) problem = "The score is at least 0.";
  if (problem) {
    drawPanel();
    say(`${problem} Not saved: ${titleOf(group)}`, "refused");
    return;
  }
  if (text === "") save(group, { ...markToChange(group), adjustment: null, pending: false }, { what: "removal of the score" });
  else setScore(value);
}

const isTyping = () => ["comment", "score", "reason"].some((id) => element(id) === document.activeElement);

// In a low window, the panel is scrolled to the comment, and back when it is written.
function writeComment() {
  const panel = element("panel");
  const { scrollTop } = panel;
  element("comment").addEventListener("blur", () => { panel.scrollTop = scrollTop; }, { once: true });
  element("comment").focus();
}

const saidOfComment = (name) => `comment on ${name}`;

function enterComment() {
  const group = current();
  if (!group) return;
  const comment = element("comment").value.trim();
  if (comment !== group.mark.comment) save(group, { ...group.mark, comment }, { isTyped: true, said: saidOfComment, what: "comment on" });
  else if (draftOf(group)) dropDraft(group);
}

function dropDraft(group) {
  forgetDraft(group);
  drawGroup(group);
  drawPanel();
}

function insertComment(position) {
  const group = current();
  const comment = slots()[position];
  if (!group || !comment) return;
  const mark = markToChange(group);
  const line = comment.replace(/\s+/g, " ");
  const short = line.length > 40 ? `${line.slice(0, 39).trimEnd()}…` : line;
  if (mark.comment.includes(comment)) { say(`${capitalized(titleOf(group))} already ${group.answers.length > 1 ? "have" : "has"} this comment: “${short}”`); return; }
  const said = (name) => `${mark.comment ? "added to the comment" : "comment"} on ${name}: “${short}”`;
  save(group, { ...mark, comment: [mark.comment, comment].filter(Boolean).join("\n\n") }, { said, what: "comment on" });
}

function flag() {
  const group = current();
  if (!group) return;
  const flagged = !group.flagged;
  const said = (name) => (flagged ? `flag on ${name}` : `flag on ${name} removed`);
  save(group, group.mark, { flag: { flagged, reason: "", flagger: flagged ? graderName() : "" }, said, what: flagged ? "flag on" : "removal of the flag on" });
  if (flagged && group.flagged) element("reason").focus();
}

function enterReason() {
  const group = current();
  const reason = element("reason").value.trim().replace(/\s+/g, " ");
  if (!group?.flagged || reason === group.reason) return;
  save(group, group.mark, { flag: { flagged: true, reason, flagger: graderName() }, said: (name) => `flag on ${name}`, what: "reason of the flag on" });
}

// Who is to mark an answer is no part of its mark: it has no version, and the last choice counts.
async function assign() {
  const group = current();
  if (!group) return;
  const versions = Object.fromEntries(group.answers.map((each) => [each.id, each.version]));
  await queue;
  try {
    const { answers } = await request("assign", { question: state.question.key, versions, assignee: element("assignee").value });
    for (const answer of group.answers) answer.assignee = answers.find((each) => each.id === answer.id)?.assignee ?? "";
    group.assignee = group.answers[0].assignee;
    drawGroup(group);
    drawPanel();
    say(`Saved: ${titleOf(group)} ${group.assignee ? `is to be marked by ${group.assignee}` : "is to be marked by nobody in particular"}`, "saved");
  } catch (error) {
    drawPanel();
    show(`Not saved: ${error.message}`);
  }
}

function confirmPending() {
  const group = current();
  if (group && group.mark.pending) save(group, { ...markToChange(group), pending: false }, { what: "confirmation" });
}

// --- Undo -------------------------------------------------------------------------------------
// An entry of `state.undo` has the answers, what they had before, and their versions before and
// after the change. It is undone only if the answers still have these versions.

function undo() {
  state.waiting += 1;
  undoing = undoing.then(undoLast).catch((error) => show(error.message)).finally(() => { state.waiting -= 1; });
}

async function undoLast() {
  const last = state.undo.findLast((each) => !each.isUndoing);
  if (!last) { say("Nothing to undo"); return; }
  const forget = () => { state.undo = state.undo.filter((each) => each !== last); drawPanel(); };
  if (last.action === "points") {
    forget();
    say("The points of an item cannot be undone with u: change them again.", "refused");
    return;
  }
  if (last.question !== state.question.key) {
    open_(last.question, last.ids[0]);
    await queue;
    if (last.question !== state.question.key) return;
  }
  const groups = await groupsOf(last.ids);
  if (!groups.length) { forget(); say("The answer to undo is no longer there", "refused"); return; }
  if (groups.some((each) => !state.groups.includes(each))) {
    say("The change to undo is not in this selection: show all answers", "refused");
    return;
  }
  last.isUndoing = true;
  select(state.groups.indexOf(groups[0]));
  const mark = { ...last.mark, items: presentItems(last.mark.items) };
  for (const group of groups) save(group, mark, { flag: last.action === "flag" ? last.flag : undefined, undone: last });
}

// Groups with exactly these answers; a group that has others, too, is divided.
async function groupsOf(ids) {
  const has = (answer) => ids.includes(answer.id);
  if (state.all.some((group) => group.answers.some(has) && !group.answers.every(has))) {
    await queue;
    state.all = state.all.flatMap((group) => (group.answers.some(has) && !group.answers.every(has)
      ? [...makeGroups(group.answers.filter(has)), ...makeGroups(group.answers.filter((each) => !has(each)))]
      : [group]));
    filter(ids[0]);
  }
  return state.all.filter((group) => group.answers.some(has));
}

// The entries before the undone one continue with the new versions.
function wasUndone(entry, versions) {
  replaceVersions(entry.before, versions);
  entry.ids = entry.ids.filter((id) => !(id in versions));
  if (!entry.ids.length) state.undo = state.undo.filter((each) => each !== entry);
}

function replaceVersions(old, versions) {
  for (const { after } of state.undo) {
    for (const id of Object.keys(versions)) if (after && after[id] && after[id] === old[id]) after[id] = versions[id];
  }
}

// A change that was not saved has nothing to undo, and one that was not undone can be later.
function notSaved(entry, isConflict = false) {
  entry.isUndoing = false;
  if (isConflict || !entry.after) state.undo = state.undo.filter((each) => each !== entry);
}

// After a change of points, the marks before it can still be undone, with the new points.
function noteNewPoints(old, answers) {
  replaceVersions(old, Object.fromEntries(answers.map((each) => [each.id, each.version])));
  state.undo.push({ action: "points" });
}

// Comments of this question, the most frequent first. Each keeps its place, and so its key, while
// the page is open and an answer has it; others take the free places.
function slots() {
  const counts = new Map();
  for (const { mark, answers } of state.all) {
    if (mark.comment) counts.set(mark.comment, (counts.get(mark.comment) ?? 0) + answers.length);
  }
  const { key } = state.question;
  const found = (state.slots.get(key) ?? Array(9).fill("")).map((comment) => (counts.has(comment) ? comment : ""));
  const others = [...counts].sort((one, other) => other[1] - one[1]).map(([comment]) => comment).filter((comment) => !found.includes(comment));
  state.slots.set(key, found.map((comment) => comment || others.shift() || ""));
  return state.slots.get(key);
}

// --- The page ---------------------------------------------------------------------------------

function make(tag, text = "", className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function button(text, action) {
  const made = make("button", text);
  made.type = "button";
  made.addEventListener("click", action);
  return made;
}

// Only for HTML that the server has sanitized.
function put(target, html) {
  target.innerHTML = html;
  rankHeadings(target, target.closest("article") ? 4 : 3);
  for (const wide of target.querySelectorAll("table, .formula")) scrollers.observe(wide);
}

// Boxes that are larger than their place can be scrolled with the keyboard.
const scrollers = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const isLarge = target.scrollHeight > target.clientHeight + 1 || target.scrollWidth > target.clientWidth + 1;
    if (isLarge) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});

// Headings in a text rank below the page's own, without gaps: screen readers list them as an outline.
function rankHeadings(target, first) {
  const above = [];
  for (const heading of target.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    while (above.length && above.at(-1) >= heading.tagName) above.pop();
    heading.setAttribute("aria-level", Math.min(first + above.length, 6));
    above.push(heading.tagName);
  }
}

function titleOf(group) {
  const names = group.answers.map((each) => each.name || each.number);
  const listed = names.length > 4 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", ");
  return names.length > 1 ? `answers ${listed}` : `answer ${listed}`;
}

const capitalized = (text) => text[0].toUpperCase() + text.slice(1);

function stateText(group) {
  const points = `${shown(group.score)} of ${shown(state.question.maximum)}`;
  return { open: "not marked", marked: points, automatic: `${points}, automatic`, pending: `${points}, to confirm` }[group.status];
}

function isVisible(group) { return state.isOne ? group === current() : true; }

function makeGroups(answers) {
  const groups = new Map();
  for (const answer of answers) {
    const isAlone = answer.problem || state.separate.has(answer.id);
    const key = JSON.stringify([isAlone ? answer.id : answer.same, markOf(answer), answer.status, answer.flagged, answer.reason, answer.flagger, answer.assignee, answer.earlier, state.drafts.get(answer.id)?.text]);
    if (!groups.has(key)) groups.set(key, { answers: [], isEmpty: answer.empty, article: make("article") });
    groups.get(key).answers.push(answer);
  }
  for (const group of groups.values()) take(group);
  return [...groups.values()];
}

function isSelected(group) {
  const filter = element("filter").value;
  return {
    all: true, open: isOpen(group), mine: isMine(group), "mine-open": isMine(group) && isOpen(group),
    pending: group.status === "pending", flagged: group.flagged,
  }[filter];
}

async function load(key, answer) {
  const epoch = ++state.epoch;
  const found = await request("question", { question: key });
  if (epoch !== state.epoch) return;
  const isInterrupted = isTyping() && state.question?.key !== key;
  if (isInterrupted) document.activeElement.blur(); // saves the text to the answer of the old question
  if (state.question?.key !== key) element("answers").scrollTop = 0;
  state.question = found.question;
  state.outdated = found.outdated;
  state.isOutdated = false;
  state.all = makeGroups(found.answers);
  joinDrafts();
  const { question } = found;
  element("questions").value = key;
  history.replaceState(null, "", "#" + key);
  put(element("question"), question.text);
  put(element("model"), question.model);
  put(element("guidance"), question.guidance);
  element("scheme").replaceChildren(...question.items.map((item) => {
    const row = make("li");
    row.append(make("b", signed(item.points)), make("div", "", "text"));
    put(row.lastChild, item.html);
    const change = button("Change points", () => openPoints(item));
    change.setAttribute("aria-label", `Change points of ${item.label}`);
    row.append(change);
    return row;
  }));
  element("maximum").textContent = shown(question.maximum);
  document.title = `${question.title} – Mark answers`;
  drawOutdated();
  filter(answer);
  say("");
  drawProgress();
  if (isInterrupted && current()) hold(current().answers, Date.now() + HELD); // keys were meant as text
}

function filter(answer) {
  const before = current();
  const typed = document.activeElement === element("comment") ? typedComment() : null;
  state.groups = state.all.filter(isSelected);
  const positionOf = (id) => state.groups.findIndex((group) => group.answers.some((each) => each.id === id));
  const candidates = [positionOf(answer), state.groups.findIndex(isOpen), positionOf(state.places.get(state.question.key))];
  state.index = candidates.find((index) => index >= 0) ?? 0;
  if (typed && !current()?.answers.some(({ id }) => before.answers.some((each) => each.id === id))) {
    // Another answer is selected: the text stays with its own, as a comment that is not saved.
    keepDraft(before, { typed });
    element("comment").value = draftOf(current())?.text ?? current()?.mark.comment ?? "";
    element("comment").blur();
    if (current()) hold(current().answers, Date.now() + HELD);
  }
  const list = element("answers");
  const { scrollTop } = list;
  state.groups.forEach(drawGroup);
  list.replaceChildren(...(state.groups.length ? state.groups.map((group) => group.article) : [emptyNote()]));
  list.scrollTop = scrollTop;
  select(state.index, answer !== undefined || document.activeElement === document.body);
  if (!state.groups.length) drawEmpty();
}

// The other questions can have changed since they were read.
async function drawEmpty() {
  try { await readOverview(); } catch { return; /* the next save tells */ }
  if (!state.groups.length) element("answers").replaceChildren(emptyNote());
}

const isMine = (group) => group.assignee !== "" && group.assignee === graderName();
const isOpen = (group) => group.status === "open" || group.status === "pending";
const graderName = () => element("grader").value.trim().replace(/\s+/g, " ");

// If only answers with a flag are left in other questions, n does not go there: a link does.
function emptyNote() {
  const note = make("p", emptyText(), "quiet");
  if (element("filter").value !== "open") return note;
  const others = state.questions.filter((each) => each.key !== state.question.key && each.count > each.done);
  if (others.some((each) => each.count - each.done > each.flagged_open)) return note;
  const count = others.reduce((sum, each) => sum + each.flagged_open, 0);
  note.textContent = count
    ? `All answers to this question are marked. In other questions, only ${answersText(count, ["is", "are"])} not marked, with a flag: `
    : "All answers to all questions are marked.";
  if (count) note.append(button(optionText(others[0]), () => openFiltered(others[0].key, "open")));
  return note;
}

function emptyText() {
  const { value } = element("filter");
  const further = " Press n for the next question with answers that are not marked.";
  if (value === "open") return `All answers to this question are marked.${further}`;
  if (value === "mine-open" && state.all.some(isMine)) return `All of yours are marked.${further}`;
  const how = value.startsWith("mine") ? " Answers are yours if the button Progress was used to share them, with the name in the field Grader." : "";
  return `No answer is in this selection.${how}`;
}

function drawGroup(group) {
  const { article } = group;
  const position = state.groups.indexOf(group);
  article.className = group.status;
  article.hidden = !isVisible(group);
  if (group === current()) article.setAttribute("aria-current", "true");
  else article.removeAttribute("aria-current");
  article.tabIndex = group === current() ? 0 : -1;
  if (!article.hasChildNodes()) {
    article.append(make("h3"), make("div"), make("div", "", "text"), make("p", "", "selected"), make("div", "", "text outputs"));
    for (const event of ["click", "focus"]) article.addEventListener(event, () => choose(group));
    drawText(group);
  }
  const [title, notes, , selected] = article.children;
  const name = titleOf(group);
  title.replaceChildren(make("span", capitalized(name)));
  if (group.flagged) title.append(make("span", `⚑ flagged${group.flagger ? ` by ${group.flagger}` : ""}${group.reason ? `: ${group.reason}` : ""}`, "flagged"));
  if (group.assignee && group.assignee !== group.grader) title.append(make("span", `for ${group.assignee}`, "quiet"));
  if (group.grader && (group.status === "marked" || group.status === "pending")) title.append(make("span", group.grader, "quiet"));
  title.append(make("span", stateText(group), "state"));
  article.setAttribute("aria-label", `${name}, ${position + 1} of ${state.groups.length}, ${stateText(group)}`);
  notes.replaceChildren(...notesFor(group));
  const labels = group.mark.items.map((each) => (counts(group.mark.items, each)
    ? `${signed(each.points)} ${each.label}` : `+0 ${each.label} (counts only with: ${each.required_label})`));
  if (group.mark.items.length && group.mark.adjustment) labels.push(`adjusted to ${shown(group.score)} by the grader`);
  selected.textContent = [labels.join(" · "), group.mark.comment].filter(Boolean).join("\n");
  selected.hidden = !selected.textContent;
}

function notesFor(group) {
  const notes = [];
  const note = (text, ...buttons) => {
    const made = make("p", text + " ", "note");
    made.append(...buttons);
    notes.push(made);
  };
  const count = group.answers.length;
  if (count > 1) {
    const kind = group.isEmpty ? "empty" : "identical";
    note(`These ${count} answers are ${kind} and are marked together.`, button("Mark separately", () => divide(group.answers, true)));
  } else if (state.separate.has(group.answers[0].id)) {
    const same = state.all.flatMap((each) => each.answers).filter((each) => each.same === group.answers[0].same);
    note(`${same.length} ${group.isEmpty ? "empty" : "identical"} answers are marked separately.`, button("Mark together again", () => divide(same, false)));
  } else if (group.isEmpty) note("The student wrote nothing here.");
  const isSeparate = group.answers.some(({ id }) => state.separate.has(id));
  const others = isSeparate ? [] : identicalTo(group);
  if (others.length) note(`Identical to ${others.map((each) => `${titleOf(each)} (${stateText(each)})`).join(", ")}.`);
  if (draftOf(group)) note("Your comment on this answer is not saved.");
  if (group.answers[0].problem) note(`There is no text to show: ${group.answers[0].problem}.`);
  if (group.status === "pending") note("Regraded since it was marked. The selected items are from the earlier mark: read the answer again, then confirm the score.", button("Confirm (y)", confirmPending));
  if (group.earlier) {
    const { earlier } = group;
    const labels = [...earlier.items.map((each) => each.label), earlier.comment].filter(Boolean).join("; ");
    note(
      `Score or comment was changed elsewhere, for example in the formgrader. What is there counts. Marked here before: ${shown(earlier.score)}${labels ? ` (${labels})` : ""}.`,
      button("Use the mark from here", () => save(group, { ...markOf(earlier), pending: false }, { what: "use of the mark from here" })),
    );
  }
  return notes;
}

// Groups with the same text, which are apart because their marks, flags, or graders differ.
function identicalTo(group) {
  const [{ id, same, problem }] = group.answers;
  if (problem || group.isEmpty) return [];
  return state.all.filter((each) => each !== group && each.answers[0].same === same && each.answers[0].id !== id);
}

function drawIdentical(group) { for (const each of identicalTo(group)) drawGroup(each); }

async function drawText(group) {
  const text = group.article.children[2];
  text.dir = "auto";
  scrollers.observe(text);
  const [answer] = group.answers;
  if (answer.html !== null) { put(text, answer.html); return; }
  text.replaceChildren(button("Show this large answer", async () => {
    text.textContent = "Loading…";
    try {
      put(text, (await request("answer", { question: state.question.key, answer: answer.id })).html);
    } catch (error) { text.textContent = error.message; }
  }));
}

async function showOutputs() {
  const group = current();
  if (!group) return;
  const box = group.article.children[4];
  if (box.hasChildNodes()) box.replaceChildren();
  else await addOutputs(box, group.answers);
}

// Outputs belong to one student each, also those of identical answers: a few, then the next.
const OUTPUTS_AT_ONCE = 3;

async function addOutputs(box, answers) {
  const added = answers.slice(0, OUTPUTS_AT_ONCE).map((answer) => {
    const part = make("div");
    const label = `Answer ${answer.name || answer.number}`;
    part.append(make("p", `${label}: loading…`, "label"), make("div"));
    return { answer, part, label };
  });
  box.append(...added.map((each) => each.part));
  for (const { answer, part, label } of added) {
    const [title, content] = part.children;
    try {
      const { html, section } = await request("outputs", { question: state.question.key, answer: answer.id });
      put(content, html);
      const where = section && `, under “${section}”`;
      title.textContent = html ? `${label}: shown by the student's own run${where}` : `${label}: no output near this answer`;
    } catch (error) { title.textContent = `${label}: ${error.message}`; }
  }
  const others = answers.slice(added.length);
  if (others.length && box.contains(added[0].part)) {
    const more = button(`Show the outputs of ${Math.min(others.length, OUTPUTS_AT_ONCE)} more`, () => { more.remove(); addOutputs(box, others); });
    box.append(more);
  }
  added[0].part.scrollIntoView({ block: "nearest" });
}

// Mark identical answers separately, or together again if their marks are the same.
async function divide(answers, isSeparate) {
  await queue;
  for (const { id } of answers) {
    if (isSeparate) state.separate.add(id);
    else state.separate.delete(id);
  }
  const every = state.all.flatMap((each) => each.answers).sort((one, other) => one.number - other.number);
  state.all = makeGroups(every);
  filter(current()?.answers[0].id);
  const groups = state.all.filter((group) => group.answers.some((each) => answers.includes(each)));
  if (!isSeparate && groups.length > 1) say("Identical answers with different marks stay apart");
}

function drawPanel() {
  const group = current();
  const items = element("items");
  const rows = itemsFor(group).map((item, position) => {
    const row = make("li");
    const made = button("", () => toggle(position));
    const has = Boolean(group) && group.mark.items.some((each) => each.key === item.key);
    made.setAttribute("aria-pressed", String(has));
    const isOld = position >= state.question.items.length;
    if (position < 9) made.append(make("kbd", String(position + 1)));
    const isUncounted = has && !counts(group.mark.items, item);
    made.classList.toggle("uncounted", isUncounted);
    made.append(make("span", isUncounted ? "+0" : signed(item.points), "points"));
    const label = make("span", isOld ? `${item.label} (no longer in the mark scheme)` : item.label);
    if (item.requires) label.append(make("small", ` counts only with: ${item.required_label}`, "quiet"));
    made.append(label);
    made.disabled = !group;
    row.append(made);
    return row;
  });
  const focused = [...items.children].findIndex((each) => each.contains(document.activeElement));
  items.replaceChildren(...rows);
  if (focused >= 0 && rows[focused]) rows[focused].firstChild.focus();
  if (!rows.length) items.append(make("li", "The mark scheme has no items with points: enter a score.", "quiet"));
  for (const id of ["previous", "next", "full", "zero", "flag", "outputs", "comment", "score"]) element(id).disabled = !group;
  element("undo").disabled = !state.undo.length;
  element("flag").setAttribute("aria-pressed", String(Boolean(group && group.flagged)));
  element("who").textContent = group
    ? `${capitalized(titleOf(group))} · ${state.index + 1} of ${state.groups.length}` : "";
  element("who").title = element("who").textContent;
  if (document.activeElement !== element("score")) element("score").value = scoreText(group);
  drawComment(group);
  element("reason").classList.toggle("absent", !group?.flagged);
  if (document.activeElement !== element("reason")) element("reason").value = group?.reason ?? "";
  drawAdjustment(group);
  drawAssignee(group);
  drawBank();
}

const scoreText = (group) => (group && group.score !== null && group.status !== "open" ? shown(group.score) : "");

function drawComment(group) {
  const draft = draftOf(group);
  const comment = element("comment");
  if (document.activeElement !== comment) comment.value = draft?.text ?? group?.mark.comment ?? "";
  comment.classList.toggle("unsaved", Boolean(draft));
  const joined = draft?.isJoined ? "The first part is what is saved there now. " : "";
  element("comment-help").hidden = Boolean(draft);
  element("draft").hidden = !draft;
  element("draft").replaceChildren(...(draft ? ["Not saved. ", joined, make("kbd", "Esc"), " saves it. ", button("Discard", () => dropDraft(group))] : []));
}

function drawAdjustment(group) {
  const has = Boolean(group?.mark.items.length && group.mark.adjustment);
  element("adjustment").hidden = !has;
  element("adjustment").replaceChildren(...(has ? [make("b", signed(group.mark.adjustment), "points"), make("span", "adjustment (entered score)"), button("Remove", removeAdjustment)] : []));
}

function drawAssignee(group) {
  const names = new Set(state.all.map((each) => each.assignee).filter(Boolean));
  element("assignee-box").hidden = !group || !names.size;
  const options = ["", ...[...names].sort()].map((name) => {
    const option = make("option", name || "anybody");
    option.value = name;
    return option;
  });
  element("assignee").replaceChildren(...options);
  element("assignee").value = group?.assignee ?? "";
}

function drawBank() {
  const comments = [...slots().entries()].filter(([, comment]) => comment);
  const group = current();
  element("bank-box").hidden = !comments.length;
  element("bank").replaceChildren(...comments.map(([position, comment]) => {
    const row = make("li");
    const made = button("", () => insertComment(position));
    made.append(make("kbd", `⇧${position + 1}`), make("span", comment));
    made.disabled = !group || markToChange(group).comment.includes(comment);
    row.append(made);
    return row;
  }));
  for (const text of element("bank").querySelectorAll("span")) {
    if (text.scrollHeight > text.clientHeight) text.parentElement.title = text.textContent;
  }
}

function drawProgress() {
  const answers = state.all.flatMap((group) => group.answers.map(() => group));
  const done = answers.filter((group) => group.status === "marked" || group.status === "automatic").length;
  element("bar").max = answers.length || 1;
  element("bar").value = done;
  element("count").textContent = `${done} of ${answers.length} marked`;
  const flagged = answers.filter((group) => group.flagged).length;
  element("flagged").hidden = !flagged;
  element("flagged").textContent = `⚑ ${flagged}`;
  element("flagged").title = `${flagged} flagged: show ${flagged === 1 ? "it" : "them"}`;
  element("flagged").setAttribute("aria-label", element("flagged").title);
  const option = element("questions").selectedOptions[0];
  if (option) option.textContent = optionText({ ...state.question, done, count: answers.length });
}

function drawOutdated() {
  const box = element("outdated");
  box.hidden = !state.outdated.length;
  if (box.hidden) return;
  const counts = new Map();
  for (const { old, new: score } of state.outdated) {
    const text = old === score ? `${shown(old)} (only the comment)` : `${shown(old)} to ${shown(score)}`;
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  const number = state.outdated.length;
  const listed = [...counts].map(([text, count]) => `${count} from ${text}`).join(", ");
  const what = number === 1 ? "1 answer was" : `${number} answers were`;
  box.replaceChildren(
    make("span", `The mark scheme has changed since ${what} marked. With its points, these scores change: ${listed}.`),
    button(number === 1 ? "Change 1 score" : `Change ${number} scores`, recompute),
  );
}

// --- Points of an item ------------------------------------------------------------------------

const points = { item: null, value: null, versions: {} };

function tell(id, problem) {
  element(id).textContent = problem;
  element(id).hidden = !problem;
}

function openPoints(item) {
  points.item = item;
  element("points-item").textContent = `${item.label}: now ${signed(item.points)}`;
  element("points-where").textContent = `The points are written into ${state.question.source}, which is the mark scheme of everybody. Preview the change before you make it.`;
  element("points-value").value = String(item.points);
  clearPreview();
  element("points").showModal();
  element("points-value").select();
}

function clearPreview() {
  points.value = null;
  element("points-save").disabled = true;
  element("points-changes").replaceChildren();
  tell("points-problem", "");
}

async function previewPoints() {
  clearPreview();
  const text = element("points-value").value.trim().replace(",", ".").replace("−", "-");
  const value = Number(text);
  if (text === "" || !Number.isFinite(value)) { tell("points-problem", "The points are not a number."); return; }
  if (value === points.item.points) { tell("points-problem", "These are its points now: enter other points."); return; }
  await queue;
  try {
    const found = await request("preview", { question: state.question.key, item: points.item.key, points: value });
    if (!element("points").open) return;
    points.value = value;
    points.versions = Object.fromEntries(found.changes.map((each) => [each.id, each.version]));
    drawPreview(found, value);
    element("points-save").disabled = false;
  } catch (error) { tell("points-problem", `Not possible: ${error.message}`); }
}

const answerPoints = (count) => `${shown(count)} ${count === 1 ? "point" : "points"}`;
const answersText = (count, verb = "") => `${count} ${count === 1 ? "answer" : "answers"}${verb && ` ${verb[count === 1 ? 0 : 1]}`}`;

function drawPreview(found, value) {
  const box = element("points-changes");
  const shownChanges = found.changes.filter((each) => each.old !== each.new);
  box.append(make("p", `${answersText(found.count, ["has", "have"])} this item. With ${signed(value)}, ${answersText(shownChanges.length, ["gets", "get"])} another score.`));
  const unchanged = found.changes.filter((each) => each.old === each.new);
  const kept = unchanged.filter((each) => each.entered && each.counted).length;
  const limitedOnes = unchanged.filter((each) => !each.entered && each.counted).length;
  const uncounted = unchanged.filter((each) => !each.counted).length;
  if (limitedOnes) box.append(make("p", `In ${answersText(limitedOnes)}, only the points in the comment change, because the score is limited.`));
  if (kept) box.append(make("p", `In ${answersText(kept)}, only the points in the comment change: a grader entered the score, and it stays.`));
  if (uncounted) box.append(make("p", `In ${answersText(uncounted)}, the score stays, because the item counts only with: ${points.item.required_label}.`));
  if (found.entered.length) box.append(make("p", `${answersText(found.entered.length, ["has", "have"])} a score without items, which stays: ${found.entered.sort((one, other) => one - other).map((each) => `#${each}`).join(" ")}.`));
  if (found.elsewhere) box.append(make("p", `${answersText(found.elsewhere, ["keeps", "keep"])} the score that was given elsewhere, for example in the formgrader.`));
  if (shownChanges.length) {
    const table = make("table");
    const groups = new Map();
    for (const each of shownChanges.sort((one, other) => one.old - other.old)) {
      const text = `${shown(each.old)} → ${shown(each.new)}`;
      groups.set(text, [...(groups.get(text) ?? []), each.number]);
    }
    for (const [text, numbers] of groups) {
      const row = make("tr");
      row.append(make("td", text), make("td", answersText(numbers.length)), make("td", numbers.sort((one, other) => one - other).map((each) => `#${each}`).join(" "), "quiet"));
      table.append(row);
    }
    box.append(table);
  }
  const { maximum } = state.question;
  if (round(found.earnable) > maximum) box.append(make("p", `The items add up to ${shown(found.earnable)} of ${answerPoints(maximum)}; a score is at most ${shown(maximum)}.`, "note"));
  box.append(make("p", "Feedback pages have the new scores when you run course feedback again.", "quiet"));
}

async function savePoints() {
  const { key } = state.question;
  const count = Object.keys(points.versions).length;
  element("points-save").disabled = true;
  let found;
  try {
    found = await request("points", { question: key, item: points.item.key, points: points.value, versions: points.versions });
  } catch (error) {
    clearPreview();
    const what = error.status === 409 ? "somebody has marked an answer since the preview: preview again." : error.message;
    tell("points-problem", `Nothing was changed: ${what}`);
    await load(key, current()?.answers[0].id).catch(() => {});
    return;
  }
  noteNewPoints(points.versions, found.answers);
  await load(key, current()?.answers[0].id);
  element("points").close(); // keys change the answers that are there now
  focusAnswer();
  say(`Saved: ${signed(points.value)} for ${points.item.label}, in ${answersText(count)}`, "saved");
}

async function recompute() {
  const versions = Object.fromEntries(state.outdated.map((each) => [each.id, each.version]));
  const { key } = state.question;
  await queue;
  try {
    const { answers } = await request("recompute", { question: key, versions });
    noteNewPoints(versions, answers);
    await load(key);
    say(`Saved: ${Object.keys(versions).length} scores`, "saved");
  } catch (error) {
    await load(key).catch(() => {});
    show(`No score was changed: ${error.message}`);
  }
}

function select(index, isFocused = true) {
  const before = current();
  state.index = Math.min(Math.max(index, 0), Math.max(state.groups.length - 1, 0));
  const group = current();
  if (before && before !== group) {
    drawGroup(before);
    element("panel").scrollTop = 0;
  }
  if (state.problemAt && !group?.answers.some((each) => each.id === state.problemAt)) show("");
  remember();
  if (group) {
    drawGroup(group);
    if (isFocused && !isTyping()) group.article.focus({ preventScroll: true });
    group.article.scrollIntoView({ block: "nearest" });
    if (group.answers[0].html === null && state.isOne) group.article.querySelector(".text button")?.click();
  }
  drawPanel();
}

// Select a group, unless it is selected already or has just been divided.
function choose(group) {
  const index = state.groups.indexOf(group);
  if (index >= 0 && index !== state.index) select(index, false);
}

function move(step) {
  const index = state.index + step;
  if (index < 0 || index >= state.groups.length) say(step > 0 ? "This is the last answer" : "This is the first answer");
  else { say(""); select(index); }
}

// Flagged answers wait for a colleague: n passes them, and names them at the end.
function nextOpen() {
  if (state.offered) { open_(state.offered); return; }
  const isWanted = element("filter").value === "flagged" ? isOpen : (group) => isOpen(group) && !group.flagged;
  const order = state.groups.map((_, step) => (state.index + 1 + step) % state.groups.length);
  const found = order.find((index) => isWanted(state.groups[index]));
  if (found === undefined) offerQuestion().catch((error) => show(error.message));
  else { say(""); select(found); }
}

// All answers of this selection are marked or flagged: offer the next question that has others.
async function offerQuestion() {
  await queue;
  const { key } = state.question;
  await readOverview();
  if (key !== state.question.key) return;
  const onlyMine = element("filter").value.startsWith("mine");
  const openIn = (each) => {
    const [count, done] = onlyMine ? each.assigned[graderName()] ?? [0, 0] : [each.count, each.done];
    return count - done;
  };
  const isCounted = (group) => isOpen(group) && (!onlyMine || isMine(group));
  const whose = onlyMine ? "of yours" : "answers";
  const others = state.all.filter((group) => isCounted(group) && !state.groups.includes(group)).flatMap((group) => group.answers).length;
  if (others) {
    say(`All in this selection are marked, but not ${answersText(others)} outside it: show all answers`);
    return;
  }
  const flagged = state.groups.filter(isCounted);
  const at = state.questions.findIndex((each) => each.key === key);
  const next = [...state.questions.slice(at + 1), ...state.questions.slice(0, at)]
    .find((each) => openIn(each) > 0 && each.count - each.done > each.flagged_open);
  const status = element("status");
  if (flagged.length) {
    const count = flagged.flatMap((group) => group.answers).length;
    say("");
    status.append("Only ", button(flagged.map(titleOf).join(", "), () => select(state.groups.indexOf(flagged[0]))), count === 1 ? " is not marked here, and it is flagged. " : " are not marked here, and they are flagged. ");
  } else if (!next) {
    const left = state.questions.reduce((sum, each) => sum + each.flagged_open, 0);
    say(left && !onlyMine ? `All answers in all questions are marked, except ${answersText(left)} with a flag` : `All ${whose} in all questions are marked${flagsText()}`, "saved");
  } else say(`All ${whose} here are marked. `);
  if (!next) return;
  const number = /^Exercise \S+(?=:)/.exec(next.title);
  const place = next.assignment === state.question.assignment ? "" : `${next.assignment}, `;
  const text = `${place}${number ? number[0] : next.title}: ${openIn(next)} not marked`;
  if (flagged.length) status.append("n again: ");
  status.append(button(flagged.length ? text : `${text} (n)`, () => open_(next.key)));
  state.offered = next.key;
}

// What is left for a colleague, at the end.
function flagsText() {
  const count = state.questions.reduce((sum, each) => sum + each.flagged, 0);
  return count ? `, and ${answersText(count, ["is", "are"])} flagged` : "";
}

// --- Changes of other graders -----------------------------------------------------------------

const POLL_SECONDS = 10;
let polled = Date.now();

// Take over what others have changed, except in an answer that is being edited. A failure is
// silent: the next save shows it.
async function poll() {
  if (document.hidden || !state.question || state.waiting || state.isPolling) return;
  polled = Date.now();
  state.isPolling = true;
  const { epoch, question } = state;
  const known = (answer) => [answer.id, answer.version];
  const sent = new Map(state.all.flatMap((group) => group.answers.map(known)));
  try {
    const { versions } = await request("versions", { question: question.key });
    const ids = [...sent.keys()].filter((id) => versions[id] && versions[id] !== sent.get(id));
    if (!ids.length) return;
    const { answers } = await request("states", { question: question.key, answers: ids });
    if (epoch !== state.epoch || state.waiting) return;
    const present = new Map(state.all.flatMap((group) => group.answers.map(known)));
    takeOver(answers.filter(({ id }) => !isEdited(id) && present.get(id) === sent.get(id)));
  } catch { /* the next save tells */ } finally { state.isPolling = false; }
}

const isEdited = (id) => isTyping() && current()?.answers.some((each) => each.id === id);

// What somebody else has changed in a group, and who, as far as it is known: the grader is the one
// who gave the score, and comments have none.
function changeOf(before, group) {
  const name = titleOf(group);
  const points = ({ mark: { items, adjustment, pending }, score, status }) => JSON.stringify([items, adjustment, pending, score, status]);
  const flagged = (each) => JSON.stringify(flagOf(each));
  if (points(before) !== points(group)) return { who: group.grader, what: name, isMark: true };
  if (before.mark.comment !== group.mark.comment) return { who: "", what: `the comment on ${name}` };
  if (flagged(before) !== flagged(group)) return { who: group.flagger, what: `the flag on ${name}` };
  return { who: "", what: `${name}, or its mark` };
}

function takeOver(answers) {
  const found = new Map(answers.map((each) => [each.id, each]));
  const changed = state.all.filter((group) => group.answers.some((each) => found.has(each.id)));
  const here = current();
  const wasAt = here?.answers[0].id;
  const before = here && { ...here };
  for (const answer of changed.flatMap((group) => group.answers)) Object.assign(answer, found.get(answer.id));
  joinDrafts();
  const isDivided = changed.some((group) => makeGroups(group.answers).length > 1);
  if (isDivided) {
    state.all = state.all.flatMap((group) => (changed.includes(group) ? makeGroups(group.answers) : [group]));
    filter(wasAt);
  } else {
    for (const group of changed) { take(group); drawGroup(group); }
    drawPanel();
  }
  drawProgress();
  const group = current();
  if (!changed.includes(here) || !group || isTyping()) return;
  hold(group.answers, Date.now() + HELD);
  const { who, what, isMark } = changeOf(before, group);
  say(`${who || "Somebody else"} has changed ${what}${isMark ? `: ${stateText(group)}` : ""}`);
}

function pollInTurn() { if (Date.now() - polled >= POLL_SECONDS * 1000) poll(); }

function setView(isOne) {
  state.isOne = isOne;
  element("answers").classList.toggle("one", isOne);
  element("view-one").setAttribute("aria-pressed", String(isOne));
  element("view-list").setAttribute("aria-pressed", String(!isOne));
  state.groups.forEach(drawGroup);
  select(state.index);
}

// A reload shows the same view, filter, and answer. Of students, only ids are stored.
function remember() {
  const { key } = state.question;
  if (current()) state.places.set(key, current().answers[0].id);
  const place = { key, answer: current()?.answers[0].id, filter: element("filter").value, isOne: state.isOne };
  sessionStorage.setItem("place", JSON.stringify(place));
}

async function showProgress() {
  await readOverview();
  const parts = assignments().map(([name, questions]) => {
    const part = make("tbody");
    const head = make("tr");
    head.append(heading(name, "rowgroup"));
    head.firstChild.colSpan = 6;
    part.append(head, ...questions.map(progressRow));
    return part;
  });
  const total = make("tfoot");
  total.append(make("tr"));
  total.firstChild.append(heading("All questions", "row"), ...progressCells(totalOf(state.questions)));
  if (state.questions.length > 1) parts.push(total);
  element("overview-table").classList.toggle("unshared", !state.questions.some((each) => shares(each).length));
  element("overview-table").replaceChildren(element("overview-table").tHead, ...parts);
  const names = state.questions.flatMap((each) => Object.keys(each.assigned));
  if (document.activeElement !== element("sharers")) element("sharers").value = [...new Set(names)].filter(Boolean).join(", ");
  if (!element("overview").open) { tell("share-problem", ""); element("overview").showModal(); }
}

function heading(text, scope) {
  const made = make("th", text);
  made.scope = scope;
  return made;
}

function progressRow(each) {
  const row = make("tr");
  const { number, text } = parseTitle(each);
  const title = heading("", "row");
  title.append(button(number ? `${number}: ${text}` : text, () => { element("overview").close(); open_(each.key); }));
  const cells = progressCells(each);
  cells[2].append(...scoresOf(each));
  row.append(title, ...cells);
  return row;
}

// A line for each: what is marked, what is to do, (the scores,) who marked, and the shares.
function progressCells(each) {
  const done = [["", `${each.done} of ${each.count}`]];
  const graders = Object.entries(each.graders).map(([name, count]) => [name || "elsewhere", count]);
  return [done, todo(each), [], graders, shares(each)].map((lines) => {
    const cell = make("td");
    for (const [name, text, filter] of lines) {
      const line = make("div");
      if (name) {
        line.append(make("span", name, "name"), " ");
        line.title = name;
      }
      line.append(filter && each.key ? button(text, () => openFiltered(each.key, filter)) : text);
      cell.append(line);
    }
    return cell;
  });
}

function totalOf(questions) {
  const total = { count: 0, done: 0, pending: 0, flagged: 0, flagged_open: 0, outdated: 0, graders: {}, assigned: {} };
  for (const each of questions) {
    for (const name of ["count", "done", "pending", "flagged", "flagged_open", "outdated"]) total[name] += each[name];
    for (const [name, count] of Object.entries(each.graders)) total.graders[name] = (total.graders[name] ?? 0) + count;
    for (const [name, [count, done]] of Object.entries(each.assigned)) {
      const [before, doneBefore] = total.assigned[name] ?? [0, 0];
      total.assigned[name] = [before + count, doneBefore + done];
    }
  }
  return total;
}

// The number of answers of each kind, with the filter that shows them.
function todo(each) {
  const open = each.count - each.done - each.pending;
  const isSame = each.flagged === open && each.flagged_open === open && !each.pending;
  const kinds = [[open, isSame ? "not marked (flagged)" : "not marked", "open"], [each.pending, "to confirm", "pending"],
    [isSame ? 0 : each.flagged, "flagged", "flagged"], [each.outdated, "with other points now", ""]];
  return kinds.filter(([count]) => count).map(([count, what, filter]) => ["", `${count} ${what}`, filter]);
}

function openFiltered(key, filter) {
  element("overview").close();
  element("filter").value = filter;
  open_(key);
}

// How many of each grader's answers are marked; of those without a grader, only if others have one.
function shares(each) {
  const assigned = Object.entries(each.assigned);
  if (assigned.every(([name]) => !name)) return [];
  return assigned.map(([name, [count, done]]) => [name || "nobody", `${done} of ${count}`]);
}

// A bar for each score, or for each of ten ranges if there are many scores.
function scoresOf(each) {
  if (!each.scores.length) return [];
  const total = each.scores.reduce((sum, [, count]) => sum + count, 0);
  const mean = each.scores.reduce((sum, [score, count]) => sum + score * count, 0) / total;
  const present = each.scores.map(([score]) => Math.min(Math.max(score / (each.maximum || 1), 0), 1));
  const steps = [4, 2, 1].map((part) => part * each.maximum).filter((part) => part <= 10 && Number.isInteger(part));
  const parts = steps.find((part) => present.every((one) => Math.abs(one * part - Math.round(one * part)) < 1e-6)) ?? 10;
  const bars = Array(parts + 1).fill(0);
  each.scores.forEach(([, count], at) => { bars[Math.round(present[at] * parts)] += count; });
  const chart = make("div", "", "scores");
  chart.setAttribute("role", "img");
  chart.setAttribute("aria-label", each.scores.map(([score, count]) => `${shown(score)} points: ${count}`).join(", "));
  for (const [at, count] of bars.entries()) {
    const bar = make("span");
    bar.style.height = `${(100 * count) / Math.max(...bars)}%`;
    bar.title = `${shown((at * each.maximum) / parts)} points: ${count}`;
    chart.append(bar);
  }
  const axis = make("div", "", "axis quiet");
  axis.append(make("small", "0"), make("small", `mean ${shown(mean)}`), make("small", shown(each.maximum)));
  return [chart, axis];
}

async function share(all) {
  await queue;
  const id = current()?.answers[0].id;
  try {
    await request("share", { question: state.question.key, graders: element("sharers").value, all });
    tell("share-problem", "");
    await load(state.question.key, id);
    await showProgress();
  } catch (error) { tell("share-problem", `Nothing was shared: ${error.message}`); }
}

function parseTitle(each) {
  const [, number, text] = /^Exercise(?: (\S+))?: (.*)$/.exec(each.title) ?? [null, "", each.title];
  return { number, text };
}

// The number first, because a menu shows only the beginning of a long text.
function optionText(each) {
  const { number, text } = parseTitle(each);
  const progress = `(${each.done}/${each.count})`;
  return number ? `${number} ${progress}: ${text}` : `${text} ${progress}`;
}

// The assignments with their questions.
function assignments() {
  const names = [...new Set(state.questions.map((each) => each.assignment))];
  return names.map((name) => [name, state.questions.filter((each) => each.assignment === name)]);
}

async function readOverview() {
  state.questions = (await request("overview", {})).questions;
  const select = element("questions");
  const value = select.value;
  select.replaceChildren(...assignments().map(([name, questions]) => {
    const part = make("optgroup");
    part.label = name;
    for (const each of questions) part.append(new Option(optionText(each), each.key));
    return part;
  }));
  if (value) select.value = value;
}

function open_(key, answer) {
  queue = queue.then(() => load(key, answer)).then(() => show(""), (error) => show(error.message));
}

// --- Keys -------------------------------------------------------------------------------------

const KEYS = {
  j: () => move(1), k: () => move(-1), n: nextOpen, f: () => setScore(state.question.maximum),
  0: () => setScore(0), u: undo, x: flag, y: confirmPending, o: showOutputs,
  c: writeComment, s: () => element("score").select(),
  v: () => setView(!state.isOne), "?": () => element("help").showModal(), Escape: () => show(""),
};

// Keys that change the mark, or the flag, of the answer.
const CHANGING = ["f", "0", "u", "x", "y"];

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !state.question) return;
  const { target } = event;
  const isText = ["comment", "score", "grader", "reason"].some((id) => target === element(id));
  if (isText) {
    const isEnd = event.key === "Escape" || (event.key === "Enter" && target !== element("comment"));
    if (!isEnd) return;
    event.preventDefault();
    target.blur();
    if (document.activeElement === document.body) focusAnswer(); // not if the name is missing
    return;
  }
  if (target.tagName === "SELECT" || document.querySelector("dialog[open]")) return;
  const digit = /^Digit([1-9])$/.exec(event.code);
  let action = KEYS[event.key];
  let changes = CHANGING.includes(event.key);
  const closes = element("problem").hasChildNodes();
  if (event.key === "Escape" && draftOf(current()) && !closes) [action, changes] = [enterComment, true];
  // On some keyboards, digits are typed with Shift.
  if (/^[1-9]$/.test(event.key)) [action, changes] = [() => toggle(Number(event.key) - 1), true];
  else if (digit && event.shiftKey) [action, changes] = [() => insertComment(Number(digit[1]) - 1), true];
  if (!action || (event.repeat && !"jk".includes(event.key))) return;
  event.preventDefault();
  if (changes && current() && isHeld(current())) say(`Key ignored: ${titleOf(current())} has just changed.`, "refused");
  else action();
});

const CLICKS = {
  full: () => setScore(state.question.maximum), zero: () => setScore(0), undo, flag,
  previous: () => move(-1), next: () => move(1), "next-open": nextOpen,
  "view-list": () => setView(false), "view-one": () => setView(true),
  flagged: () => { element("filter").value = "flagged"; filter(); },
  outputs: showOutputs, "open-help": () => element("help").showModal(),
  "share-one": () => share(false), "share-all": () => share(true),
  "points-preview": previewPoints, "points-save": savePoints, "points-cancel": () => element("points").close(),
  "open-progress": () => showProgress().catch((error) => show(error.message)),
};
for (const [id, action] of Object.entries(CLICKS)) element(id).addEventListener("click", action);
element("score").addEventListener("focus", () => element("score").select());
element("score").addEventListener("mouseup", (event) => event.preventDefault()); // it would end the selection
element("score").addEventListener("blur", enterScore);
element("comment").addEventListener("blur", enterComment);
element("reason").addEventListener("blur", enterReason);
element("assignee").addEventListener("change", assign);
element("points-value").addEventListener("input", clearPreview);
element("points-value").addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); previewPoints(); } });
// The keys of the page work again after a choice from a list.
element("filter").addEventListener("change", () => { element("filter").blur(); filter(); });
element("questions").addEventListener("change", () => { element("questions").blur(); open_(element("questions").value); });
element("grader").addEventListener("change", () => {
  sessionStorage.setItem("grader", element("grader").value);
  if (graderName() && element("problem").firstChild?.textContent === NO_NAME) show("");
  if (element("filter").value.startsWith("mine")) filter(current()?.answers[0].id);
});
window.addEventListener("beforeunload", (event) => {
  if (!state.waiting && !state.drafts.size && !typedComment() && !hasUnsavedField()) return;
  event.preventDefault();
  event.returnValue = true; // for older browsers
});
window.addEventListener("pagehide", storeDrafts);
window.addEventListener("focus", poll);
document.addEventListener("visibilitychange", pollInTurn);
setInterval(pollInTurn, 1000);

async function start() {
  element("grader").value = sessionStorage.getItem("grader") ?? document.body.dataset.grader;
  state.drafts = new Map(JSON.parse(sessionStorage.getItem("drafts") ?? "[]"));
  state.slots = new Map(JSON.parse(sessionStorage.getItem("slots") ?? "[]"));
  await readOverview();
  const wanted = location.hash.slice(1);
  const unfinished = state.questions.find((each) => each.done < each.count);
  const first = state.questions.find((each) => each.key === wanted) ?? unfinished ?? state.questions[0];
  const place = JSON.parse(sessionStorage.getItem("place") ?? "{}");
  if (place.filter) element("filter").value = place.filter;
  if (first) {
    await load(first.key, place.key === first.key ? place.answer : undefined);
    if (place.isOne) setView(true);
  } else element("answers").textContent = "There are no answers that are graded by hand.";
}

start().catch((error) => show(error.message));
