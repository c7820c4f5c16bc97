// What explore and contrast share: asking Python for runs, the line of code, the buttons below. Uses html.

const SILENCE = 5_000;

// JupyterLab listens further up: without this, "a" inserts a cell and the arrows leave a slider.
function keepKeys(root) {
  for (const kind of ['keydown', 'keypress', 'keyup']) {
    root.addEventListener(kind, event => {
      if (event.key !== 'Tab' && event.key !== 'Escape' && !event.ctrlKey && !event.metaKey) event.stopPropagation();
    });
  }
}

// Asks for runs by the trait `asked` and hears of them by `shown`. The answer to the last question is the one that stays.
function createAsker(model, root, say) {
  let silence = 0;
  const heard = () => {
    if ((model.get('shown').number ?? 0) >= (model.get('asked').number ?? 0)) {
      clearTimeout(silence);
      root.removeAttribute('aria-busy');
    }
  };
  return {
    heard,
    get settled() { return (model.get('shown').number ?? 0) >= (model.get('asked').number ?? 0); },
    ask(question) {
      const before = model.get('asked'), shown = model.get('shown');
      const number = Math.max(before.number ?? 0, shown.number ?? 0) + 1;
      const base = before.number > (shown.number ?? 0) ? before : shown;
      model.set('asked', {number, values: base.values, seed: base.seed, was: base.was, ...question});
      model.save_changes();
      root.setAttribute('aria-busy', 'true');
      clearTimeout(silence);
      silence = setTimeout(() => say(
        'Python has not answered yet. If the kernel was restarted, run this cell again; if it is busy, wait.', true), SILENCE);
    },
    destroy() { clearTimeout(silence); },
  };
}

function createCode() {
  const code = html('code', {class: 'eda-code', tabindex: 0, 'aria-label': 'The code that makes this run'});
  const copy = html('button', {type: 'button', class: 'eda-copy', onclick: async () => {
    let done = true;
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      // No clipboard without a secure page: select the text, so that one key copies it.
      getSelection().selectAllChildren(code);
      done = false;
    }
    copy.textContent = done ? 'Copied' : 'Press Ctrl+C';
    setTimeout(() => { copy.textContent = 'Copy'; }, 1_600);
  }}, 'Copy');
  return {
    element: html('div', {class: 'eda-codeline'}, html('span', {class: 'eda-muted'}, 'The same in code:'), code, copy),
    show(text) { if (code.textContent !== text) code.textContent = text; },
  };
}

// A line for people who can't see the picture change, spoken when it has come to rest; trouble is shown to all.
function createStatus() {
  const element = html('p', {class: 'eda-status', role: 'status'});
  let waiting = 0;
  return {
    element,
    say(text, trouble = false, more = '') {
      clearTimeout(waiting);
      element.classList.toggle('eda-trouble', trouble);
      if (trouble) element.textContent = text;
      else waiting = setTimeout(() => element.replaceChildren(text, html('span', {class: 'eda-hidden'}, ` ${more}`)), 500);
    },
    destroy() { clearTimeout(waiting); },
  };
}

// Its height only grows, so that what stands below it does not jump while a slider moves.
function holdHeight(element) {
  let most = 0, width = 0;
  const watch = new ResizeObserver(([entry]) => {
    const {inlineSize, blockSize} = entry.borderBoxSize[0];
    if (inlineSize !== width) {
      width = inlineSize;
      most = 0;
      element.style.minHeight = '';
    } else if (blockSize > most) {
      most = blockSize;
      element.style.minHeight = `${most}px`;
    }
  });
  watch.observe(element);
  return () => watch.disconnect();
}
