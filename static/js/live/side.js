/**
 * The live page's shape: the chat's column may be folded away, the theatre view
 * takes the page's width, and on phones the chat stays above the keyboard.
 */

import { recall, remember } from "#lib/store";

const page = document.querySelector("[data-live]");

/** @param {boolean} isOpen */
function showChat(isOpen) {
  page.classList.toggle("is-chat-closed", !isOpen);
  for (const button of page.querySelectorAll("[data-toggles-chat]")) {
    button.setAttribute("aria-expanded", String(isOpen));
  }
}

if (page) {
  showChat(recall("live-chat", true));
  page.addEventListener("click", (event) => {
    if (!event.target.closest("[data-toggles-chat]")) return;
    const isOpen = page.classList.contains("is-chat-closed");
    remember("live-chat", isOpen);
    showChat(isOpen);
    page.querySelector(isOpen ? ".chat [data-toggles-chat]" : ".chat-opener")?.focus({ preventScroll: true });
  });
  page.addEventListener("player-theatre", () => page.classList.toggle("is-theatre"));

  // The part of a phone's screen above the keyboard; browsers that shrink the page report the same.
  const screen = window.visualViewport;
  // Zoomed in with two fingers one sees less of the page, which stays as it is.
  const measure = () => document.documentElement.style.setProperty("--visible", `${screen.height * screen.scale}px`);
  screen?.addEventListener("resize", measure);
  if (screen) measure();
}

const heading = document.querySelector("[data-live-title]");
const category = document.querySelector("[data-live-category]");

/**
 * Show a title and a category that the streamer changed during the broadcast.
 * @param {{title?: string, category?: string, status?: string}} described
 */
function describe({ title, category: chosen, status = document.querySelector("live-stage")?.dataset.status }) {
  if (heading && title !== undefined) {
    const { name, untitled } = heading.dataset;
    heading.textContent = title || (status === "offline" ? name : untitled);
    if (status !== "offline") document.title = `${heading.textContent} · ${name}`;
  }
  const label = category?.querySelector("template")?.content.querySelector(`[data-category="${CSS.escape(chosen ?? "")}"]`);
  if (!label) return;
  category.querySelector("span").textContent = label.textContent;
  const address = new URL(category.href);
  address.searchParams.set("category", chosen);
  category.href = address.href;
}

// The API has words for a stream without a title, and they are those of a broadcast.
document.addEventListener("live-state", ({ detail }) => detail.status !== "offline" && describe(detail));
document.addEventListener("stream-news", ({ detail }) => describe(detail));

const report = document.querySelector("[data-report=broadcast]");

// The report is about the current broadcast, and after its end about the last one.
document.addEventListener("live-state", ({ detail }) => {
  if (!report || !detail.broadcast_id) return;
  report.pathname = `/report/broadcast/${encodeURIComponent(detail.broadcast_id)}/`;
  report.dataset.reportId = detail.broadcast_id;
  report.hidden = false;
});
