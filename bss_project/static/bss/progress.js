// Polls bill runs while they run: every element with data-progress is one. A run's own page is reloaded at its end
// (its buttons are others then); a row of the dashboard just stays as it is.
(() => {
  "use strict";

  const watch = (box) => {
    const bar = box.querySelector("[role=progressbar]");
    let wait = 1000;

    const show = (values) => {
      for (const field of box.querySelectorAll("[data-field]")) field.textContent = values[field.dataset.field];
      bar.firstElementChild.style.width = `${values.percent}%`;
      bar.setAttribute("aria-valuenow", values.percent);
      bar.title = `${values.percent} %`;
    };

    const poll = async () => {
      try {
        const answer = await fetch(box.dataset.url, { headers: { Accept: "application/json" } });
        if (!answer.ok || answer.redirected) throw new Error(answer.status);
        const values = await answer.json();
        show(values);
        if (values.state !== "running") {
          if (box.id === "progress") window.location.reload();
          return;
        }
        wait = 1000;
      } catch {
        // The server may be restarting: ask again, more patiently.
        wait = Math.min(wait * 2, 30000);
      }
      setTimeout(poll, wait);
    };

    setTimeout(poll, wait);
  };

  for (const box of document.querySelectorAll("[data-progress]")) {
    if (box.dataset.state === "running") watch(box);
  }
})();
