"use strict";
/* On optuna-dashboard's page of a study the link leads to tunefast's pages of it; a click is when to look where we are. */
(() => {
  const link = document.getElementById("tunefast-link");
  const aim = () => {
    const study = /^\/dashboard\/studies\/(\d+)/.exec(location.pathname);
    link.href = study ? `/tunefast/ids/${study[1]}` : "/tunefast/";
  };
  for (const kind of ["pointerdown", "focus", "click"]) link.addEventListener(kind, aim);
})();
