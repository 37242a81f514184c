/**
 * A small document for the tests of our elements under node: a tree, selectors, events that
 * bubble, forms and custom elements. It has no layout, and only the members that our modules use.
 */

const VOID = new Set(["input", "img", "br", "hr", "use"]);
const TOKEN = /<(\/?)([a-z][a-z0-9-]*)((?:\s+[a-z][a-z0-9-]*(?:="[^"]*")?)*)\s*\/?>|([^<]+)/g;
const ATTRIBUTE = /([a-z][a-z0-9-]*)(?:="([^"]*)")?/g;
const SIMPLE = /:not\(([^)]*)\)|:([a-z-]+)|\[([a-z-]+)(?:(\^?=)"?([^"\]]*)"?)?\]|#([\w-]+)|\.([\w-]+)|([a-z][a-z0-9-]*)/g;

const camel = (name) => name.replace(/-([a-z])/g, (_whole, letter) => letter.toUpperCase());
const kebab = (name) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

class FakeNode {
  parentElement = null;
  childNodes = [];
  #listeners = [];

  addEventListener(type, act, { signal, once = false } = {}) {
    if (signal?.aborted) return;
    const listener = { type, act, once };
    this.#listeners.push(listener);
    signal?.addEventListener("abort", () => this.#drop(listener), { once: true });
  }

  removeEventListener(type, act) {
    this.#listeners = this.#listeners.filter((one) => one.type !== type || one.act !== act);
  }

  #drop(listener) {
    this.#listeners = this.#listeners.filter((one) => one !== listener);
  }

  dispatchEvent(event) {
    Object.defineProperty(event, "target", { value: this, configurable: true });
    for (let node = this; node; node = event.bubbles && !event.cancelBubble ? node.parentElement ?? node.defaultView : null) {
      node.call(event);
    }
    return !event.defaultPrevented;
  }

  call(event) {
    Object.defineProperty(event, "currentTarget", { value: this, configurable: true });
    for (const listener of this.#listeners.filter(({ type }) => type === event.type)) {
      if (listener.once) this.#drop(listener);
      listener.act.call(this, event);
    }
  }

  get children() {
    return this.childNodes.filter((node) => node instanceof FakeElement);
  }

  get childElementCount() {
    return this.children.length;
  }

  get firstElementChild() {
    return this.children[0] ?? null;
  }

  get lastElementChild() {
    return this.children.at(-1) ?? null;
  }

  get isConnected() {
    return this === globalThis.document || (this.parentElement?.isConnected ?? false);
  }

  get textContent() {
    return this.childNodes.map((node) => node.textContent).join("");
  }

  set textContent(text) {
    this.replaceChildren(...(text === "" ? [] : [text]));
  }

  append(...nodes) {
    for (const node of nodes.flatMap((one) => (one instanceof FakeFragment ? [...one.childNodes] : [one]))) {
      const made = node instanceof FakeNode ? node : new FakeText(node);
      made.remove();
      made.parentElement = this;
      this.childNodes.push(made);
      if (this.isConnected) connect(made);
    }
  }

  replaceChildren(...nodes) {
    for (const node of [...this.childNodes]) node.remove();
    this.append(...nodes);
  }

  #place(nodes, at) {
    const parent = this.parentElement;
    const behind = parent.childNodes.splice(parent.childNodes.indexOf(this) + at);
    parent.append(...nodes);
    parent.childNodes.push(...behind.filter((node) => !nodes.includes(node)));
  }

  before(...nodes) {
    this.#place(nodes, 0);
  }

  after(...nodes) {
    this.#place(nodes, 1);
  }

  replaceWith(...nodes) {
    this.before(...nodes);
    this.remove();
  }

  remove() {
    const parent = this.parentElement;
    if (!parent) return;
    const wasConnected = this.isConnected;
    parent.childNodes = parent.childNodes.filter((node) => node !== this);
    this.parentElement = null;
    if (wasConnected) for (const element of [this, ...this.descendants()]) element.disconnectedCallback?.();
  }

  contains(node) {
    for (let one = node; one; one = one.parentElement) if (one === this) return true;
    return false;
  }

  *descendants() {
    for (const child of this.children) {
      yield child;
      yield* child.descendants();
    }
  }

  querySelectorAll(selectors) {
    return [...this.descendants()].filter((element) => element.matches(selectors, this));
  }

  querySelector(selectors) {
    return this.querySelectorAll(selectors)[0] ?? null;
  }

  getElementById(id) {
    return this.querySelector(`#${id}`);
  }

  cloneNode(isDeep = false) {
    const copy = this.shallow();
    if (isDeep) copy.append(...this.childNodes.map((node) => node.cloneNode(true)));
    return copy;
  }
}

class FakeText extends FakeNode {
  constructor(text) {
    super();
    this.data = String(text);
  }

  get textContent() {
    return this.data;
  }

  shallow() {
    return new FakeText(this.data);
  }
}

class FakeFragment extends FakeNode {
  shallow() {
    return new FakeFragment();
  }
}

export class FakeElement extends FakeNode {
  constructor(tag = "") {
    super();
    this.localName = tag || registry.nameOf(this.constructor);
    this.attributes = new Map();
    this.style = { setProperty: (name, value) => (this.style[name] = String(value)) };
    this.dataset = new Proxy({}, {
      get: (_all, name) => this.getAttribute(`data-${kebab(name)}`) ?? undefined,
      set: (_all, name, value) => this.setAttribute(`data-${kebab(name)}`, value) ?? true,
      has: (_all, name) => this.hasAttribute(`data-${kebab(name)}`),
      deleteProperty: (_all, name) => this.removeAttribute(`data-${kebab(name)}`) ?? true,
      ownKeys: () => [...this.attributes.keys()].filter((name) => name.startsWith("data-")).map((name) => camel(name.slice(5))),
      getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }),
    });
    this.classList = {
      contains: (name) => this.className.split(" ").includes(name),
      add: (...names) => (this.className = [...new Set([...this.className.split(" "), ...names])].join(" ").trim()),
      remove: (...names) => (this.className = this.className.split(" ").filter((name) => !names.includes(name)).join(" ")),
      toggle: (name, isOn = !this.classList.contains(name)) => this.classList[isOn ? "add" : "remove"](name),
    };
    if (tag === "template") this.content = new FakeFragment();
    this.open = false;
    this.isPopoverOpen = false;
    this.tabIndex = -1;
  }

  getAttribute(name) {
    return this.attributes.get(name) ?? null;
  }

  setAttribute(name, value) {
    this.attributes.set(name, String(value));
  }

  hasAttribute(name) {
    return this.attributes.has(name);
  }

  removeAttribute(name) {
    this.attributes.delete(name);
  }

  toggleAttribute(name, isOn) {
    if (isOn) this.setAttribute(name, "");
    else this.removeAttribute(name);
  }

  get value() {
    return this.typed ?? this.getAttribute("value") ?? (this.localName === "textarea" ? this.textContent : "");
  }

  set value(value) {
    this.typed = String(value);
  }

  /** The fields of a form by their names, in order. */
  get elements() {
    const fields = this.querySelectorAll("input, textarea, select, button");
    return Object.assign([...fields], Object.fromEntries(fields.map((field) => [field.getAttribute("name"), field])));
  }

  set innerHTML(source) {
    this.replaceChildren(...html(source).childNodes);
  }

  matches(selectors, scope = null) {
    return selectors.split(/,(?![^(]*\))/).some((selector) => matchesPath(this, selector.trim().split(/\s+/), scope));
  }

  closest(selectors) {
    for (let one = this; one instanceof FakeElement; one = one.parentElement) if (one.matches(selectors)) return one;
    return null;
  }

  focus() {
    globalThis.document.activeElement = this;
  }

  blur() {
    globalThis.document.activeElement = globalThis.document.body;
  }

  click() {
    fire(this, "click");
  }

  requestSubmit() {
    fire(this, "submit", { submitter: null });
  }

  showModal() {
    this.open = true;
  }

  close(answer = this.returnValue) {
    this.open = false;
    this.returnValue = answer;
    fire(this, "close", { bubbles: false });
  }

  showPopover() {
    this.isPopoverOpen = true;
    fire(this, "toggle", { bubbles: false, newState: "open" });
  }

  hidePopover() {
    this.isPopoverOpen = false;
    fire(this, "toggle", { bubbles: false, newState: "closed" });
  }

  setRangeText(text, start, end) {
    this.value = this.value.slice(0, start) + text + this.value.slice(end);
  }

  getAnimations() {
    return [];
  }

  getBoundingClientRect() {
    return { left: 0, top: 0, width: 100, height: 50 };
  }

  shallow() {
    const copy = created(this.localName);
    for (const [name, value] of this.attributes) copy.setAttribute(name, value);
    if (this.content) copy.content = this.content.cloneNode(true);
    return copy;
  }
}

for (const name of ["hidden", "disabled", "checked"]) {
  Object.defineProperty(FakeElement.prototype, name, {
    get() {
      return this.hasAttribute(name);
    },
    set(isOn) {
      this.toggleAttribute(name, Boolean(isOn));
    },
  });
}
for (const [property, name] of [["className", "class"], ["id", "id"], ["href", "href"], ["title", "title"], ["lang", "lang"], ["type", "type"], ["name", "name"], ["dateTime", "datetime"]]) {
  Object.defineProperty(FakeElement.prototype, property, {
    get() {
      return this.getAttribute(name) ?? "";
    },
    set(value) {
      this.setAttribute(name, value);
    },
  });
}

/** Return whether an element ends a path of compound selectors, with ``>`` between parent and child. */
function matchesPath(element, path, scope) {
  const last = path.at(-1);
  if (!matchesOne(element, last, scope)) return false;
  const rest = path.slice(0, -1);
  if (!rest.length) return true;
  const isChild = rest.at(-1) === ">";
  const above = isChild ? rest.slice(0, -1) : rest;
  for (let one = element.parentElement; one; one = isChild ? null : one.parentElement) {
    if ((one instanceof FakeElement || one === scope) && matchesPath(one, above, scope)) return true;
  }
  return false;
}

function matchesOne(element, compound, scope) {
  for (const [, not, state, name, operator, value, id, cls, tag] of compound.matchAll(SIMPLE)) {
    if (not !== undefined && element.matches(not)) return false;
    if (state === "scope" && element !== scope) return false;
    if (state === "popover-open" && !element.isPopoverOpen) return false;
    if (state === "hover") return false;
    if (state === "focus-within" && !element.contains(globalThis.document.activeElement)) return false;
    if (state === "focus-visible" && globalThis.document.activeElement !== element) return false;
    if (name && !element.hasAttribute(name)) return false;
    if (operator === "=" && element.getAttribute(name) !== value) return false;
    if (operator === "^=" && !element.getAttribute(name).startsWith(value)) return false;
    if (id && element.id !== id) return false;
    if (cls && !element.classList.contains(cls)) return false;
    if (tag && element.localName !== tag) return false;
  }
  return true;
}

const registry = {
  known: new Map(),
  define(name, constructor) {
    this.known.set(name, constructor);
  },
  get(name) {
    return this.known.get(name);
  },
  async whenDefined() {},
  nameOf(constructor) {
    return [...this.known].find(([, known]) => known === constructor)?.[0] ?? "";
  },
};

function created(tag) {
  const Custom = registry.get(tag);
  return Custom ? new Custom() : new FakeElement(tag);
}

function connect(node) {
  if (!(node instanceof FakeElement)) return;
  for (const element of [node, ...node.descendants()]) element.connectedCallback?.();
}

/**
 * Return a fragment with the parsed elements.
 * @param {string} source markup with closed tags and double quotes
 * @returns {any}
 */
export function html(source) {
  const root = new FakeFragment();
  const path = [root];
  for (const [, closes, tag, attributes, text] of source.matchAll(TOKEN)) {
    const parent = path.at(-1).content ?? path.at(-1);
    if (text !== undefined) {
      if (text.trim()) parent.append(text);
    } else if (closes) {
      path.pop();
    } else {
      const element = created(tag);
      for (const [, name, value = ""] of attributes.matchAll(ATTRIBUTE)) element.setAttribute(name, value);
      parent.append(element);
      if (!VOID.has(tag)) path.push(element);
    }
  }
  return root;
}

/**
 * Return the first element of the markup, outside the document.
 * @param {string} source
 * @returns {any}
 */
export function elementFrom(source) {
  const made = html(source).firstElementChild;
  made.remove();
  return made;
}

/**
 * Dispatch an event that bubbles and can be prevented.
 * @param {any} target
 * @param {string} type
 * @param {object} [members] of the event
 * @returns {any} the event
 */
export function fire(target, type, { bubbles = true, ...members } = /** @type {any} */ ({})) {
  const event = Object.assign(new Event(type, { bubbles, cancelable: true }), members);
  target.dispatchEvent(event);
  return event;
}

/** Return a storage as ``localStorage``. */
function storage() {
  const kept = new Map();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, String(value)),
    removeItem: (key) => void kept.delete(key),
    clear: () => kept.clear(),
  };
}

/** Let promises and timers of zero length take place. */
export function settled() {
  return new Promise((resolve) => setTimeout(resolve));
}

/** Put an empty document and the rest of a window into the global scope. */
export function install() {
  const document = new FakeNode();
  const root = new FakeElement("html");
  root.lang = "en";
  document.append(root);
  Object.assign(document, {
    documentElement: root,
    body: new FakeElement("body"),
    cookie: "csrftoken=token",
    hidden: false,
    createElement: created,
    createDocumentFragment: () => new FakeFragment(),
    createTextNode: (text) => new FakeText(text),
    importNode: (node, isDeep) => node.cloneNode(isDeep),
    activeElement: null,
  });
  root.append(document.body);
  document.activeElement = document.body;
  const values = {
    document,
    window: Object.assign(new EventTarget(), { confirm: () => true, htmx: {} }),
    HTMLElement: FakeElement,
    Element: FakeElement,
    customElements: registry,
    localStorage: storage(),
    sessionStorage: storage(),
    location: { href: "https://site.test/", host: "site.test", protocol: "https:", search: "", reload: () => {} },
    navigator: { onLine: true },
    innerHeight: 600,
    innerWidth: 1280,
    matchMedia: () => ({ matches: false }),
    CSS: { escape: (text) => text },
    ResizeObserver: class {
      observe() {}

      disconnect() {}
    },
  };
  for (const [name, value] of Object.entries(values)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  return document;
}

/**
 * Answer the calls of ``lib/api`` from a table, and return the list of calls.
 * @param {Record<string, (body: any) => any>} answers by ``METHOD path``; an answer with ``status`` is a refusal
 * @returns {[string, any][]} each call with its body, in order
 */
export function serve(answers) {
  const calls = [];
  globalThis.fetch = /** @type {any} */ (async (path, { method = "GET", body } = /** @type {any} */ ({})) => {
    const name = `${method} ${String(path).replace("/api/v1/", "")}`;
    const sent = body ? JSON.parse(body) : undefined;
    calls.push([name, sent]);
    const content = (answers[name] ?? (() => ({ status: 404, errors: [{ code: "not_found", detail: "Not found." }] })))(sent);
    const status = content?.status >= 400 ? content.status : 200;
    return { ok: status < 400, status, headers: new Headers({ "Content-Type": "application/json" }), json: async () => content };
  });
  return calls;
}
