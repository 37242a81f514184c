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

  // What the keyboard leaves of a phone's screen; browsers that shrink the page tell the same.
  const screen = window.visualViewport;
  const measure = () => document.documentElement.style.setProperty("--visible", `${screen.height}px`);
  screen?.addEventListener("resize", measure);
  if (screen) measure();
}

const heading = document.querySelector("[data-live-title]");

// A streamer changes the title in the middle of things.
document.addEventListener("live-state", ({ detail }) => {
  if (heading && detail.status !== "offline" && heading.textContent !== detail.title) heading.textContent = detail.title;
});

const report = document.querySelector("[data-report=broadcast]");

// It is about what is on air, and once that has ended still about what one has just seen.
document.addEventListener("live-state", ({ detail }) => {
  if (!report || !detail.broadcast_id) return;
  report.pathname = `/report/broadcast/${encodeURIComponent(detail.broadcast_id)}/`;
  report.dataset.reportId = detail.broadcast_id;
  report.hidden = false;
});
