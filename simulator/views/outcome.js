// What came of a run: the verdicts with the steps that prove them, and a table of numbers. Uses html, svg, LOOKS, shape.

const STATUS = {
  holds: {look: 'done', told: 'holds'},
  'holds so far': {look: 'waiting', told: 'holds so far'},
  broken: {look: 'lost', told: 'broken'},
};
const WHOLE = {
  holds: 'Every guarantee that this run can be held to holds.',
  'holds so far': 'Every guarantee holds so far; some work was still under way when the run ended.',
};
const WORST = ['broken', 'holds so far', 'holds'];

const worst = verdicts => WORST.find(status => verdicts.some(verdict => verdict.status === status)) ?? 'holds';

// A strip of guarantees, one button each, and under it what the chosen one says. `jump(step)` goes to a step of the run.
function createVerdicts(jump) {
  const strip = html('div', {class: 'eda-strip', role: 'group', 'aria-label': 'Guarantees'});
  const told = html('div', {class: 'eda-sentences', tabindex: 0, role: 'group', 'aria-label': 'What the verdicts say'});
  const element = html('div', {class: 'eda-verdicts'}, strip, told);
  let verdicts = [], chosen = '', chips = new Map();

  function choose(check) {
    chosen = chosen === check ? '' : check;
    drawSentences();
  }

  function drawChips() {
    const checks = [...new Set(verdicts.map(verdict => verdict.check))];
    // Buttons stay the same elements as long as the checks do: a focused one must not be replaced under a person's hand.
    if (checks.join() !== [...chips.keys()].join()) {
      chips = new Map(checks.map(check => {
        const sign = html('span', {class: 'eda-sign'}), word = html('span', {class: 'eda-hidden'});
        const button = html('button', {type: 'button', class: 'eda-chip', onclick: () => choose(check)},
          sign, html('span', {}, check), word);
        return [check, {button, sign, word, status: ''}];
      }));
      strip.replaceChildren(...[...chips.values()].map(chip => chip.button));
    }
    for (const [check, chip] of chips) {
      const status = worst(verdicts.filter(verdict => verdict.check === check));
      if (status === chip.status) continue;
      chip.status = status;
      chip.sign.replaceChildren(shape(STATUS[status].look));
      chip.word.textContent = `: ${STATUS[status].told}`;
      chip.button.dataset.status = status;
    }
  }

  const row = (status, sentence, evidence = []) => html('p', {class: 'eda-sentence'}, shape(STATUS[status].look), html('span', {},
    sentence, ...evidence.map(step => html('button', {
      type: 'button', class: 'eda-evidence', title: step.sentence, onclick: () => jump(step.index),
      'aria-label': `Show step ${step.index}: ${step.sentence}`,
    }, `step ${step.index}`))));

  function drawSentences() {
    for (const [check, chip] of chips) chip.button.setAttribute('aria-pressed', check === chosen);
    const whole = worst(verdicts);
    const rows = !chosen && whole !== 'broken' ? [row(whole, verdicts.length ? WHOLE[whole] : 'There is nothing to judge in this run.')]
      : verdicts.filter(verdict => (chosen ? verdict.check === chosen : verdict.status === 'broken'))
        .map(verdict => row(verdict.status, verdict.sentence, verdict.evidence));
    told.replaceChildren(...rows);
  }

  return {
    element,
    show(next) {
      verdicts = next;
      if (!verdicts.some(verdict => verdict.check === chosen)) chosen = '';
      drawChips();
      drawSentences();
    },
    get told() {
      const broken = verdicts.filter(verdict => verdict.status === 'broken');
      return !verdicts.length ? '' : !broken.length ? 'No guarantee is broken.' : broken.map(verdict => verdict.sentence).join(' ');
    },
  };
}

const JUDGED = {better: '▲ better', worse: '▼ worse'};

// Rows are {name, cells: [text …], judged, more: [text …]}; the cells in place are changed only where they differ.
function createTable(caption, heads) {
  // The judgement's own column has no head: it says of itself what it is.
  const judges = heads.at(-1) === '';
  const titles = heads.map((head, at) => (judges && at === heads.length - 1 ? html('td') : html('th', {scope: 'col'}, head)));
  if (!judges) titles.at(-1).classList.add('eda-winner');
  const body = html('tbody');
  const element = html('table', {class: 'eda-table'}, html('caption', {class: 'eda-hidden'}, caption),
    html('thead', {}, html('tr', {}, ...titles)), body);
  let rows = [], names = '';

  function build(given) {
    rows = given.map(({name, cells}) => {
      const row = {head: html('th', {scope: 'row'}, name), cells: cells.map((_, at) => html('td', at === 2 && !judges ? {class: 'eda-winner'} : {}))};
      row.judged = judges ? html('td', {class: 'eda-judged'}) : null;
      row.element = html('tr', {}, row.head, ...row.cells, row.judged ?? '');
      return row;
    });
    body.replaceChildren(...rows.map(row => row.element));
  }

  const write = (cell, text) => { if (cell.textContent !== text) cell.textContent = text; };

  return {
    element,
    show(given) {
      const now = given.map(row => row.name).join('\n');
      if (now !== names) build(given);
      names = now;
      given.forEach(({cells, judged, winner, more = []}, at) => {
        cells.forEach((cell, place) => {
          if (more[place]) rows[at].cells[place].replaceChildren(cell, html('small', {}, more[place]));
          else write(rows[at].cells[place], cell);
        });
        if (judges) write(rows[at].judged, JUDGED[judged] ?? '');
        rows[at].element.dataset.judged = judged ?? '';
        rows[at].element.dataset.winner = winner ?? '';
      });
    },
  };
}
