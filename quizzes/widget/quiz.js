// Draws questions from the `view` that Python sends, and sends back what was entered. It knows no right answer:
// marks, keys and explanations are in the view once Python has put them there. Uses LOOKS of simulator.views.

const CONFIDENCES = ["guess", "fairly sure", "certain"];
const SILENCE_MS = 10_000;

function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && typeof value === "boolean") node[name] = value;
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== ""));
  return node;
}

function svg(viewBox, className, d) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  node.setAttribute("viewBox", viewBox);
  node.setAttribute("class", className);
  node.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", d);
  node.append(path);
  return node;
}

const mark = (look) => svg("-1 -1 2 2", "eda-mark", LOOKS[look].path);
const arrow = (way) => svg("0 0 16 16", "", way === "up" ? "M3 10 8 5 13 10" : "M3 6 8 11 13 6");

// Text with `code` and **strong**; nothing in it is ever read as HTML.
function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) => {
    if (/^`.+`$/s.test(part)) return h("code", {}, part.slice(1, -1));
    if (/^\*\*.+\*\*$/s.test(part)) return h("strong", {}, part.slice(2, -2));
    return part;
  });
}

// Paragraphs apart by an empty line, and ``` blocks.
function prose(text) {
  return text.trim().split(/(```[\s\S]*?```)/).flatMap((part) => {
    if (part.startsWith("```")) return [h("pre", { tabindex: "0" }, part.slice(3, -3).replace(/^\w*\n/, "").trimEnd())];
    return part.split(/\n\s*\n/).filter((p) => p.trim()).map((p) => h("p", {}, inline(p.trim())));
  });
}

function tag(kind, text) {
  return h("span", { class: `edl-tag edl-${kind}` }, mark(kind === "right" ? "done" : "lost"), text);
}

// `words` name what a tag says of a right remark and of the learner's own wrong one.
function remark(said, headed, words = { right: "right", wrong: "yours" }) {
  const misconception = said.misconception && [
    h("strong", {}, "Misconception: "), "“", inline(said.misconception), "” ",
    said.chosen ? inline(said.instead) : "",
  ];
  return h("div", { class: "edl-remark" },
    headed && said.about ? h("p", { class: "edl-about" },
      inline(said.about), said.right ? tag("right", words.right) : said.chosen ? tag("wrong", words.wrong) : "") : "",
    h("p", {}, inline(said.text)),
    misconception ? h("p", { class: "edl-misconception" }, misconception.flat()) : "");
}

// One control per type of question: `value` is what is entered so far, `enter` keeps a change.
const controls = {
  "single-choice": (question, context) => choices(question, "radio", context),
  "prediction": (question, context) => choices(question, "radio", context),
  "multiple-choice": (question, context) => choices(question, "checkbox", context),
  "numeric": number,
  "put-in-order": order,
  "find-the-step": steps,
};

function choices(question, type, { name, value, enter }) {
  const chosen = new Set(type === "radio" ? [value] : value ?? []);
  const answers = question.answers;
  const [happened, yours, both] = question.type === "prediction"
    ? ["it did this", "you said this", "it did, as you said"] : ["right", "yours", "right, and yours"];
  const rows = question.options.map((option, place) => {
    const input = h("input", {
      type, name: `${name}-choice`, value: option.id, checked: chosen.has(option.id), disabled: !question.open,
      onchange: (event) => {
        if (type === "radio") return enter(option.id);
        if (event.target.checked) chosen.add(option.id);
        else chosen.delete(option.id);
        enter(question.options.map((one) => one.id).filter((one) => chosen.has(one)));
      },
    });
    const said = answers?.remarks[place];
    const state = said ? (said.right ? "is-right" : said.chosen ? "is-wrong" : "is-other") : "";
    return h("div", { class: `edl-choice ${state}` },
      h("label", {}, input, h("span", { class: "edl-choice-text" }, inline(option.text)),
        said?.right ? tag("right", said.chosen ? both : happened) : said?.chosen ? tag("wrong", yours) : ""),
      said ? remark(said, false) : "");
  });
  const hint = type === "checkbox" && question.open ? h("p", { class: "edl-hint" }, "Choose all that hold.") : "";
  return [hint, ...rows];
}

function number(question, { name, value, enter }) {
  const input = h("input", {
    type: "text", inputmode: "decimal", id: `${name}-number`, value: value ?? "", disabled: !question.open,
    autocomplete: "off", oninput: (event) => enter(event.target.value),
  });
  const slack = question.tolerance ? ` (within ${question.tolerance} ${question.unit} is close enough)` : "";
  return [h("p", { class: "edl-number" },
    h("label", { for: input.id }, "Your answer: "), input, ` ${question.unit}`, h("span", { class: "edl-hint" }, slack)),
    ...remarks(question)];
}

function remarks(question) {
  return question.answers ? question.answers.remarks.map((said) => remark(said, true)) : [];
}

function order(question, { value, enter, say }) {
  const texts = new Map(question.items.map((item) => [item.id, item.text]));
  let ids = value?.length ? [...value] : question.items.map((item) => item.id);
  const list = h("ol", { class: "edl-order" });
  const move = (from, to, verb) => {
    ids.splice(to, 0, ...ids.splice(from, 1));
    enter([...ids]);
    fill();
    const row = list.children[to];
    const same = row.querySelector(`[data-move=${verb}]`);
    (same.disabled ? row.querySelector("button:not(:disabled)") : same).focus();
    say(`${texts.get(ids[to])}: now ${to + 1} of ${ids.length}.`);
  };
  const fill = () => list.replaceChildren(...ids.map((id, place) => {
    const button = (verb, to, possible) => h("button", {
      type: "button", "data-move": verb, disabled: !possible, title: `Move ${verb}`,
      "aria-label": `Move ${verb}: ${texts.get(id)}`, onclick: () => move(place, to, verb),
    }, arrow(verb));
    return h("li", {}, h("span", { class: "edl-choice-text" }, inline(texts.get(id))),
      question.open ? h("span", { class: "edl-moves" },
        button("up", place - 1, place > 0), button("down", place + 1, place < ids.length - 1)) : "");
  }));
  fill();
  const hint = question.open ? h("p", { class: "edl-hint" }, "Bring them into order with the buttons.") : "";
  const yours = question.answers ? h("p", { class: "edl-about" }, "Your order:") : "";
  const places = (question.answers?.remarks ?? []).map((said) =>
    remark(said.about && !said.chosen ? { ...said, right: false, chosen: true } : said, true,
      { right: "in its place", wrong: "was elsewhere" }));
  return [hint, yours, list, question.answers ? h("p", { class: "edl-about" }, "The order, and why:") : "", ...places];
}

function steps(question, { name, value, enter, model }) {
  const rows = question.steps.map(({ index, text }) => h("label", { class: "edl-step", "data-step": index },
    h("input", {
      type: "radio", name: `${name}-step`, value: index, checked: value === index, disabled: !question.open,
      onchange: () => { enter(index); model.set("step", index); model.save_changes(); },
    }),
    h("span", { class: "edl-step-number" }, String(index)), h("span", {}, inline(text))));
  const box = h("div", { class: "edl-steps", tabindex: "0", role: "group", "aria-label": "The steps of the run" }, rows);
  const follow = () => {
    rows.forEach((row) => row.classList.toggle("is-current", Number(row.dataset.step) === model.get("step")));
    const row = box.querySelector(".is-current");
    // Only the box scrolls: a replay that plays above must not make the page jump.
    if (row) box.scrollTop = Math.max(0, row.offsetTop - box.offsetTop - box.clientHeight / 2);
  };
  model.on("change:step", follow);
  return [box, ...remarks(question)];
}

function confidence(question, { name, sure, surely }) {
  if (!question.open) return sure ? h("p", { class: "edl-hint" }, `How sure you were: ${sure}.`) : "";
  return h("div", { class: "edl-confidence", role: "radiogroup", "aria-labelledby": `${name}-sure` },
    h("span", { id: `${name}-sure` }, "How sure are you?"),
    CONFIDENCES.map((level) => h("label", {}, h("input", {
      type: "radio", name: `${name}-confidence`, value: level, checked: sure === level,
      onchange: () => surely(level),
    }), level)));
}

function render({ model, el }) {
  const name = `edl-quiz-${uniqueNumber()}`;
  const title = h("h3", { id: `${name}-title`, class: "edl-title" });
  const notice = h("p", { class: "edl-notice", hidden: true });
  const list = h("div", { class: "edl-questions" });
  const status = h("div", { class: "edl-status", role: "status", tabindex: "-1" });
  const buttons = h("div", { class: "edl-buttons" });
  const root = h("section", { class: "eda edl-quiz", "aria-labelledby": title.id, "data-lm-suppress-shortcuts": "true" },
    title, notice, list, status, buttons);
  // JupyterLab listens further up: without this, "a" inserts a cell and the arrows leave an input.
  for (const event of ["keydown", "keypress", "keyup"]) {
    root.addEventListener(event, (pressed) => {
      if (pressed.key !== "Tab" && pressed.key !== "Escape") pressed.stopPropagation();
    });
  }
  el.append(root);

  let pressed = null;
  let silence = 0;
  const say = (text) => { status.textContent = text; };
  const draft = () => ({ answers: {}, confidences: {}, ...model.get("draft") });
  const enter = (part, id, value) => {
    const before = draft();
    model.set("draft", { ...before, [part]: { ...before[part], [id]: value } });
    model.save_changes();
    count();
  };
  const entered = (question) => draft().answers[question.id] ?? question.given;
  const isBlank = (value) => value === null || value === undefined || value === "" || value.length === 0;

  function count() {
    const { questions, kind } = model.get("view");
    const open = questions.filter((question) => question.open);
    const done = open.filter((question) => !isBlank(entered(question))).length;
    const counter = buttons.querySelector(".edl-count");
    if (counter) counter.textContent = kind === "quiz" && open.length ? `${done} of ${open.length} answered` : "";
  }

  function act(action) {
    const { questions } = model.get("view");
    const answers = {}, confidences = {};
    for (const question of questions.filter((one) => one.open)) {
      answers[question.id] = entered(question) ?? null;
      confidences[question.id] = draft().confidences[question.id] ?? question.confidence ?? "";
    }
    pressed = action;
    root.setAttribute("aria-busy", "true");
    clearTimeout(silence);
    silence = setTimeout(() => say(
      "Python has not answered yet. If the kernel was restarted, run this cell again; if it is busy, wait."), SILENCE_MS);
    model.set("action", { name: action, answers, confidences, at: Date.now() });
    model.save_changes();
  }

  function drawQuestion(question, kind) {
    const id = `${name}-${question.number}`;
    const standing = question.mark === "right" ? tag("right", "right")
      : question.mark === "missed" ? tag("wrong", question.answers ? "missed" : "not right yet") : "";
    const context = {
      name: id, model, say, value: entered(question), sure: draft().confidences[question.id] ?? question.confidence,
      enter: (value) => enter("answers", question.id, value),
      surely: (level) => enter("confidences", question.id, level),
    };
    const legend = kind === "quiz" ? `Question ${question.number}` : "Your prediction";
    const after = question.answers && [
      question.answers.why ? h("div", { class: "edl-why" }, prose(question.answers.why)) : "",
      question.answers.how ? h("p", { class: "edl-how" }, h("strong", {}, "How this was found: "), inline(question.answers.how)) : "",
    ];
    return h("fieldset", {
      class: `edl-question ${question.open ? "is-open" : ""}`, tabindex: "-1", "data-question": question.id,
      "aria-describedby": `${id}-prompt`,
    },
      h("legend", {}, legend, standing), h("div", { id: `${id}-prompt`, class: "edl-prompt" }, prose(question.prompt)),
      // After a run, first the run: the explanations wait until they are asked for.
      kind === "prediction" && question.answers
        ? h("details", {}, h("summary", {}, "Explanations, once you have looked at the run"),
          controls[question.type](question, context), after)
        : [controls[question.type](question, context), confidence(question, context), after || []].flat());
  }

  function draw() {
    const view = model.get("view");
    if (!view?.questions) return;
    clearTimeout(silence);
    root.removeAttribute("aria-busy");
    root.dataset.kind = view.kind;
    title.textContent = view.mode === "exam" ? `${view.title} (exam)` : view.title;
    notice.textContent = view.notice ?? "";
    notice.hidden = !view.notice;
    list.replaceChildren(...view.questions.map((question) => drawQuestion(question, view.kind)));
    status.classList.toggle("is-complaint", Boolean(view.complaint));
    say(view.status ?? "");
    buttons.replaceChildren(...view.actions.map((action) => h("button", {
      type: "button", class: action.main ? "edl-main" : "", "data-action": action.name, onclick: () => act(action.name),
    }, action.label)), h("span", { class: "edl-count" }));
    count();
    if (pressed) refocus(view);
    pressed = null;
  }

  // The button that was pressed is gone or new: the focus goes to where the learner reads on.
  function refocus(view) {
    const firstOpen = list.querySelector(".is-open input, .is-open button:not(:disabled)");
    const firstMissed = list.querySelector(".edl-question:has(legend .edl-wrong)") ?? list.firstElementChild;
    const target = view.complaint ? buttons.querySelector(`[data-action=${pressed}]`)
      : view.phase === "answering" || view.phase === "asking" ? firstOpen
      : pressed === "reveal" ? firstMissed : status;
    (target ?? status).focus();
    // A question may be taller than the window: its beginning is what has to be in sight.
    (target ?? status).scrollIntoView({ block: target === firstMissed ? "start" : "nearest" });
  }

  model.on("change:view", draw);
  draw();
  return () => {
    clearTimeout(silence);
    model.off("change:view", draw);
    root.remove();
  };
}

export default { render };
