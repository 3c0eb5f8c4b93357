"use strict";
/* A page that anybody can see asks every few seconds whether there is a newer one, and becomes it where it stands. */
(() => {
  const EVERY = 2000, AT_MOST = 30000; // milliseconds
  const notice = document.getElementById("notice");
  let wait = EVERY, timer = null, asking = false;

  const say = (text) => {
    notice.textContent = text;
    notice.hidden = text === "";
  };
  const isSelecting = () => !document.getSelection().isCollapsed;

  /* Figures keep their places, with zoom and all; what was unfolded stays so. */
  const become = (fresh) => {
    for (const place of fresh.querySelectorAll("[data-figure]")) {
      const old = document.querySelector(`[data-figure="${CSS.escape(place.dataset.figure)}"]`);
      if (old) place.replaceWith(old);
    }
    const before = [...document.querySelectorAll("main details")].filter((each) => each.open);
    const titles = new Set(before.map((each) => each.closest("section")?.querySelector("h2")?.textContent));
    for (const each of fresh.querySelectorAll("main details")) {
      each.open = titles.has(each.closest("section")?.querySelector("h2")?.textContent);
    }
    document.querySelector("main").replaceWith(fresh.querySelector("main"));
    document.title = fresh.title;
    document.body.dataset.mark = fresh.body.dataset.mark;
    document.dispatchEvent(new Event("renewed"));
  };

  const ask = async () => {
    const question = `${location.pathname}?since=${document.body.dataset.mark}`;
    const answer = await fetch(question, { cache: "no-store", redirect: "error" });
    if (answer.status === 200) {
      const text = await answer.text();
      if (!isSelecting()) become(new DOMParser().parseFromString(text, "text/html"));
    } else if (answer.status === 401) {
      say("This browser is no longer logged in: open the link that tunefast dashboard printed last.");
      return false;
    } else if (answer.status === 404) {
      say("This study is gone.");
      return false;
    } else if (answer.status !== 204) {
      throw new Error(answer.statusText);
    }
    say("");
    return true;
  };

  const round = async () => {
    timer = null;
    if (document.hidden || asking) return;
    asking = true;
    let goesOn = true;
    try {
      goesOn = await ask();
      wait = EVERY;
    } catch {
      say("The dashboard does not answer; this page is as it was. Is tunefast dashboard still running?");
      wait = Math.min(2 * wait, AT_MOST);
    }
    asking = false;
    if (goesOn) timer = setTimeout(round, wait);
  };

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    round();
  });
  timer = setTimeout(round, EVERY);
})();
