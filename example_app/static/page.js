// Shows new lines without a reload: fetches this page again and takes its content. Nothing here is needed
// to read the page.
"use strict";

const pause = document.getElementById("pause");
const every = Number(document.getElementById("content").dataset.refresh) * 1000;
let paused = false;

async function refresh() {
  if (paused || document.hidden) return;
  const answer = await fetch(location.pathname, { cache: "no-store", signal: AbortSignal.timeout(20000) });
  const next = new DOMParser().parseFromString(await answer.text(), "text/html");
  const content = next.getElementById("content");
  const old = document.getElementById("content");
  // Somebody who selects a line to copy it keeps it, and a page of somebody else's is not shown.
  if (!content || paused || String(getSelection()) !== "") return;
  const known = new Set([...old.querySelectorAll("li")].map((item) => item.dataset.id));
  for (const item of content.querySelectorAll("li")) {
    if (known.size && !known.has(item.dataset.id)) item.classList.add("new");
  }
  old.replaceWith(document.adoptNode(content));
  document.title = next.title;
}

async function follow() {
  // A failing fetch is tried again; the page keeps what it shows, and says since when.
  try {
    await refresh();
    document.body.classList.remove("stale");
  } catch {
    document.body.classList.add("stale");
  }
  setTimeout(follow, every);
}

pause.hidden = false;
pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
});
setTimeout(follow, every);
