// Looks every two seconds whether something new was caught, and then shows the list anew. Works without, by reloading.
const { latest } = document.currentScript.dataset;

async function look() {
  if (document.hidden) return;
  const answer = await fetch('/latest').catch(() => null);
  if (answer?.ok && (await answer.text()) !== latest && document.body.classList.contains('listing')) location.reload();
}

setInterval(look, 2000);
