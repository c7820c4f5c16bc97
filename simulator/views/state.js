// The state of a run while it is stepped through: fields of nodes, each a map in the order of its entries.
// It goes forwards by edits and backwards by their inverse, and knows nothing of what they mean.

const byEntry = (a, b) => (typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === 'number' ? -1 : 1);

class Field {
  constructor() {
    this.entries = [];
    this.values = new Map();
  }

  get size() { return this.entries.length; }

  put(entry, value) {
    if (value !== null) {
      if (!this.values.has(entry)) this.entries.splice(this.place(entry), 0, entry);
      this.values.set(entry, value);
    } else if (this.values.delete(entry)) {
      this.entries.splice(this.place(entry), 1);
    }
  }

  // Where an entry stands or would stand. Nearly always it is the last one.
  place(entry) {
    let low = 0, high = this.entries.length;
    if (high && byEntry(this.entries[high - 1], entry) < 0) return high;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (byEntry(this.entries[middle], entry) < 0) low = middle + 1; else high = middle;
    }
    return low;
  }
}

const NOTHING = new Field();

export function createState(data) {
  const nodes = data.nodes.map(() => new Map());
  let index = -1;

  function put(path, value) {
    const [node, name, entry] = data.paths[path];
    const fields = nodes[node];
    if (!fields.has(name)) fields.set(name, new Field());
    fields.get(name).put(entry, data.values[value]);
    return node;
  }

  for (const [path, value] of data.start) put(path, value);

  return {
    get index() { return index; },
    field: (node, name) => nodes[node].get(name) ?? NOTHING,
    // Go to a step; tells which nodes changed on the way.
    go(target) {
      const changed = new Set();
      while (index < target) {
        const edits = data.edits[index += 1];
        for (let at = 0; at < edits.length; at += 3) changed.add(put(edits[at], edits[at + 2]));
      }
      while (index > target) {
        const edits = data.edits[index];
        index -= 1;
        for (let at = edits.length - 3; at >= 0; at -= 3) changed.add(put(edits[at], edits[at + 1]));
      }
      return changed;
    },
  };
}
