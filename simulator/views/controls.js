// Controls for a scenario's parameters. Uses html.
// `createControls(specs, changed)` gives {element, show(values), values}; `changed(values)` is told of every change by a person.

const MOST_DIGITS = {maximumFractionDigits: 3};

const plain = number => Number(number).toLocaleString('en', MOST_DIGITS);

const NAMED = {
  // A word that stands for a choice in code is also what people say; only its dashes are kept, as in request-response.
  choice: value => String(value).replaceAll('_', ' '),
};

function sliderControl(spec, id, enter) {
  // Only for the eye: the slider tells its value itself.
  const output = html('span', {class: 'eda-value', 'aria-hidden': 'true'});
  const input = html('input', {type: 'range', id, min: spec.low, max: spec.high, step: spec.step ?? 'any', oninput: () => {
    const value = Number(input.value);
    say(value);
    enter(value);
  }});
  const told = value => `${plain(value)}${spec.unit ? ` ${spec.unit}` : ''}`;
  function say(value) {
    output.textContent = told(value);
    input.setAttribute('aria-valuetext', told(value));
    input.style.setProperty('--part', `${(value - spec.low) / (spec.high - spec.low || 1) * 100}%`);
  }
  return {
    parts: [html('label', {for: id}, spec.label), input, output],
    show(value) { input.value = value; say(value); },
    enable(on) { input.disabled = !on; output.textContent = on ? output.textContent : 'none'; },
  };
}

function numberControl(spec, id, enter) {
  const input = html('input', {type: 'number', id, step: spec.step ?? 'any', oninput: () => {
    if (input.value !== '' && input.checkValidity()) enter(Number(input.value));
  }});
  for (const [name, limit] of [['min', spec.low], ['max', spec.high]]) if (limit !== null) input.setAttribute(name, limit);
  return {
    parts: [html('label', {for: id}, spec.unit ? `${spec.label} (${spec.unit})` : spec.label), input],
    show(value) { if (Number(input.value) !== value || input.value === '') input.value = value; },
    enable(on) { input.disabled = !on; },
  };
}

function choiceControl(spec, id, enter) {
  const input = html('select', {id, onchange: () => enter(spec.choices[Number(input.value)])},
    ...spec.choices.map((choice, at) => html('option', {value: at}, NAMED.choice(choice))));
  return {
    parts: [html('label', {for: id}, spec.label), input],
    show(value) { input.value = spec.choices.indexOf(value); },
    enable(on) { input.disabled = !on; },
  };
}

function flagControl(spec, id, enter) {
  const input = html('input', {type: 'checkbox', id, onchange: () => enter(input.checked)});
  return {
    parts: [html('label', {for: id, class: 'eda-tick'}, input, html('span', {}, spec.label))],
    show(value) { input.checked = value; },
    enable(on) { input.disabled = !on; },
  };
}

function textControl(spec, id, enter) {
  const input = html('input', {type: 'text', id, autocomplete: 'off', onchange: () => enter(input.value)});
  return {
    parts: [html('label', {for: id}, spec.label), input],
    show(value) { if (input.value !== value) input.value = value; },
    enable(on) { input.disabled = !on; },
  };
}

// Two numbers; a pair that is no span is not told to anybody, only to the person who wrote it.
function spanControl(spec, id, enter) {
  const problem = html('span', {class: 'eda-problem', id: `${id}-problem`, role: 'alert'});
  const ends = ['from', 'to'].map(end => {
    const input = html('input', {type: 'number', id: `${id}-${end}`, step: spec.step ?? 'any', min: spec.low ?? 0,
      'aria-describedby': problem.id, oninput: check});
    if (spec.high !== null) input.setAttribute('max', spec.high);
    return input;
  });
  function check() {
    const [from, to] = ends.map(input => (input.value === '' ? NaN : Number(input.value)));
    const low = spec.low ?? 0, high = spec.high ?? Infinity;
    const wrong = Number.isNaN(from) || Number.isNaN(to) ? 'Give two numbers.'
      : from > to ? 'It must end after it begins.'
      : from < low || to > high ? `From ${plain(low)} to ${plain(high)} ${spec.unit}.` : '';
    problem.textContent = wrong;
    ends.forEach(input => (wrong ? input.setAttribute('aria-invalid', 'true') : input.removeAttribute('aria-invalid')));
    if (!wrong) enter([from, to]);
  }
  const [from, to] = ends;
  return {
    parts: [html('span', {class: 'eda-ends'},
      html('label', {for: from.id, class: 'eda-hidden'}, `${spec.label}: from`), from, html('span', {'aria-hidden': 'true'}, '–'),
      html('label', {for: to.id, class: 'eda-hidden'}, `${spec.label}: to`), to,
      html('span', {class: 'eda-unit'}, spec.unit)), problem],
    grouped: true,
    show(value) {
      problem.textContent = '';
      ends.forEach((input, at) => {
        input.removeAttribute('aria-invalid');
        if (Number(input.value) !== value[at] || input.value === '') input.value = value[at];
      });
    },
    enable(on) { ends.forEach(input => { input.disabled = !on; }); },
  };
}

function createControl(spec, enter) {
  const id = `eda-control-${uniqueNumber()}`;
  const make = {choice: choiceControl, flag: flagControl, span: spanControl, text: textControl}[spec.kind]
    ?? (spec.low !== null ? sliderControl : numberControl);
  let usual = spec.usual;
  const control = make(spec, id, value => { usual = value; enter(value); });
  if (!spec.optional) {
    const element = control.grouped
      ? html('fieldset', {class: `eda-control eda-is-${spec.kind}`}, html('legend', {}, spec.label), ...control.parts)
      : html('div', {class: `eda-control eda-is-${spec.kind}`}, ...control.parts);
    return {element, show: control.show};
  }
  const on = html('input', {type: 'checkbox', id: `${id}-on`, onchange: () => {
    control.enable(on.checked);
    if (on.checked) control.show(usual);
    enter(on.checked ? usual : null);
  }});
  const element = html('fieldset', {class: `eda-control eda-optional eda-is-${spec.kind}`},
    html('legend', {}, html('label', {for: on.id, class: 'eda-tick'}, on, html('span', {}, spec.label))), ...control.parts);
  return {
    element,
    show(value) {
      on.checked = value !== null;
      if (value !== null) usual = value;
      control.show(usual);
      control.enable(on.checked);
    },
  };
}

function createControls(specs, changed) {
  const values = {};
  const controls = specs.map(spec => createControl(spec, value => {
    values[spec.name] = value;
    changed({...values});
  }));
  const folded = controls.filter((_, at) => specs[at].folded).map(control => control.element);
  const element = html('div', {class: 'eda-controls', role: 'group', 'aria-label': 'What to change'},
    html('div', {class: 'eda-grid'}, ...controls.filter((_, at) => !specs[at].folded).map(control => control.element)));
  if (folded.length) {
    const settings = `${folded.length} more setting${folded.length === 1 ? '' : 's'}`;
    element.append(html('details', {}, html('summary', {}, settings), html('div', {class: 'eda-grid'}, ...folded)));
  }
  return {
    element,
    get values() { return {...values}; },
    show(wanted) {
      specs.forEach((spec, at) => {
        // What the person is just typing is theirs.
        if (JSON.stringify(values[spec.name]) === JSON.stringify(wanted[spec.name])) return;
        values[spec.name] = wanted[spec.name];
        controls[at].show(wanted[spec.name]);
      });
    },
  };
}
