// The browser as our pages see it, where TypeScript's own declarations are wider or older.

export {};

declare global {
  // A template decides which kind of element a selector finds. Members that all have are typed.
  type FoundElement = HTMLElement & { [member: string]: any };
  interface ParentNode {
    querySelector(selectors: string): FoundElement | null;
    querySelectorAll(selectors: string): NodeListOf<FoundElement>;
  }
  interface Element {
    closest(selectors: string): FoundElement | null;
  }
  interface Document {
    getElementById(id: string): FoundElement | null;
  }

  // A person clicks and types on elements.
  interface UIEvent {
    readonly target: HTMLElement;
  }
  interface SubmitEvent {
    readonly target: HTMLFormElement;
  }

  // Events by which our modules, htmx and the server's HX-Trigger know each other.
  interface DocumentEventMap extends Record<`${"chat" | "live" | "player" | "stream" | "text" | "htmx" | "comment"}${"-" | ":"}${string}`, CustomEvent<any>> {
    toast: CustomEvent<{ value: string }>;
    "viewer-count": CustomEvent<{ count: number }>;
  }

  // Only Safari has these.
  interface HTMLVideoElement {
    getStartDate?(): Date;
    webkitEnterFullscreen?(): void;
  }

  // lib/proof.js runs in a page and in a worker.
  var WorkerGlobalScope: any;
  // The administrators' charts load ECharts as a plain script.
  var echarts: any;

  interface Window {
    htmx: {
      process(root: Element): void;
      swap(target: Element, html: string, options: { swapStyle: string }): void;
    };
  }
}
