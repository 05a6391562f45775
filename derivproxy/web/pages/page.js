"use strict";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const area = button.closest("details").querySelector("textarea");
  area.select();
  try {
    await navigator.clipboard.writeText(area.value);
  } catch {
    document.execCommand("copy"); // the clipboard interface exists only where the page came over TLS or loopback
  }
  button.focus(); // selecting took it away
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
});

const drop = document.getElementById("drop");
if (drop) {
  const news = document.getElementById("news");
  const dialog = document.getElementById("ask");
  const field = dialog.querySelector("input");
  const refused = document.getElementById("refused");
  const input = drop.querySelector("input");
  const here = document.querySelector("main");
  const root = drop.dataset.root;

  const askToken = (why) => new Promise((resolve) => {
    field.value = "";
    refused.textContent = why;
    refused.hidden = !why;
    dialog.returnValue = "";
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "ok" ? field.value.trim() : ""), { once: true });
    dialog.showModal();
  });

  const token = async (why) => {
    let kept = why ? "" : sessionStorage.getItem("derivproxy-token") || "";
    if (!kept) {
      kept = await askToken(why);
      if (kept) sessionStorage.setItem("derivproxy-token", kept);
    }
    return kept;
  };

  const send = (file, secret, bar) => new Promise((resolve) => {
    const request = new XMLHttpRequest(); // fetch cannot tell how much of an upload has gone out
    request.open("POST", `${root}/api/images?title=${encodeURIComponent(file.name.slice(0, 200))}`);
    request.setRequestHeader("Authorization", `Bearer ${secret}`);
    request.responseType = "json";
    request.upload.onprogress = (event) => { if (event.lengthComputable) bar.value = event.loaded / event.total; };
    request.onload = () => resolve({ status: request.status, body: request.response || {} });
    request.onerror = () => resolve({ status: 0, body: { detail: "the connection broke: is the server still there?" } });
    request.send(file);
  });

  const show = async (ident) => {
    const answer = await fetch(`${root}/?only=${ident}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const figure = page.querySelector("figure");
    if (!figure) return;
    document.getElementById(figure.id)?.remove();
    here.prepend(document.importNode(figure, true));
    document.getElementById("none")?.remove();
  };

  const take = async (files) => {
    for (const file of files) {
      const line = document.createElement("li");
      const bar = document.createElement("progress");
      bar.value = 0;
      bar.setAttribute("aria-label", `uploading ${file.name}`);
      line.append(`${file.name} `, bar);
      let answer = { status: 401, body: { detail: "" } };
      while (answer.status === 401) {
        const secret = await token(answer.body.detail);
        if (!secret) {
          line.remove();
          return;
        }
        news.prepend(line);
        answer = await send(file, secret, bar);
        if (answer.status === 401) sessionStorage.removeItem("derivproxy-token");
      }
      const { status, body } = answer;
      if (status === 200 || status === 201) {
        line.textContent = `${file.name}: ${status === 201 ? "added" : "was here already"}`;
        await show(body.ident);
      } else {
        line.className = "wrong";
        line.textContent = `${file.name}: ${body.detail || `status ${status}`}`;
      }
    }
  };

  let depth = 0;
  addEventListener("dragenter", () => { depth += 1; drop.classList.add("over"); });
  addEventListener("dragleave", () => { depth -= 1; if (depth < 1) drop.classList.remove("over"); });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    drop.classList.remove("over");
    take([...event.dataTransfer.files]);
  });
  input.addEventListener("change", () => { take([...input.files]); input.value = ""; });
}
