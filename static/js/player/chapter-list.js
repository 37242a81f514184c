/** ``<chapter-list>``: the chapters below a video, with their stills, and a mark at the one that plays. */

import { define, part } from "#lib/element";

/** Seconds that a seek to a chapter may end before it: its first frame may begin a little earlier. */
const EARLY_S = 0.1;

export class ChapterList extends HTMLElement {
  connectedCallback() {
    this.strip = part(this, "strip");
    /** @type {?HTMLElement} */
    this.current = null;
    /** @type {HTMLElement[]} */
    this.links = [...this.querySelectorAll("a[data-seek]")];
    this.player = document.querySelector("video-player");
    if (!this.player) return;
    this.leaving = new AbortController();
    const video = this.player.querySelector("video");
    for (const name of ["timeupdate", "seeking"]) {
      video.addEventListener(name, () => this.mark(), { signal: this.leaving.signal });
    }
    // Stills are fetched once the list is in sight.
    this.sight = new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && this.showStills());
    this.sight.observe(this);
  }

  disconnectedCallback() {
    this.leaving?.abort();
    this.sight?.disconnect();
  }

  mark() {
    const now = this.player.currentTime + EARLY_S;
    const current = this.links.findLast((link) => Number(link.dataset.seek) <= now) ?? null;
    if (current === this.current) return;
    this.current?.removeAttribute("aria-current");
    current?.setAttribute("aria-current", "true");
    this.current = current;
    if (current && !this.strip.matches(":hover, :focus-within")) this.reveal(current);
  }

  /**
   * Scroll the strip, and not the page.
   * @param {HTMLElement} link
   */
  reveal(link) {
    const { strip } = this;
    const middle = link.offsetLeft - strip.offsetLeft - (strip.clientWidth - link.offsetWidth) / 2;
    strip.scrollTo({ left: middle, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  }

  async showStills() {
    this.sight.disconnect();
    await customElements.whenDefined("video-player");
    const { storyboard } = this.player;
    await storyboard.open();
    for (const link of this.links) {
      const still = storyboard.at(Number(link.dataset.seek));
      const element = /** @type {HTMLElement} */ (link.querySelector("[data-still]"));
      element.hidden = !still;
      const draw = () => storyboard.draw(element, still, 1, draw);
      if (still) draw();
    }
  }
}

define("chapter-list", ChapterList);
