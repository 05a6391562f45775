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
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
});

const drop = document.getElementById("drop");
if (drop) {
  const news = document.getElementById("news");
  const dialog = document.getElementById("ask");
  const field = dialog.querySelector("input");
  const input = drop.querySelector("input");
  const here = document.querySelector("main");
  const root = drop.dataset.root;

  const askToken = () => new Promise((resolve) => {
    field.value = "";
    dialog.returnValue = "";
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "ok" ? field.value.trim() : ""), { once: true });
    dialog.showModal();
  });

  const token = async () => {
    let kept = sessionStorage.getItem("derivproxy-token") || "";
    if (!kept) {
      kept = await askToken();
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
      let secret = await token();
      if (!secret) return;
      const line = document.createElement("li");
      const bar = document.createElement("progress");
      bar.value = 0;
      bar.setAttribute("aria-label", `uploading ${file.name}`);
      line.append(`${file.name} `, bar);
      news.prepend(line);
      const { status, body } = await send(file, secret, bar);
      if (status === 200 || status === 201) {
        line.textContent = `${file.name}: ${status === 201 ? "added" : "was here already"}`;
        await show(body.ident);
      } else {
        if (status === 401) sessionStorage.removeItem("derivproxy-token");
        line.className = "wrong";
        line.textContent = `${file.name}: ${body.detail || `status ${status}`}`;
        if (status === 401) return;
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
