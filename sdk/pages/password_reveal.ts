// A button in every password field of the hosted pages that shows what is typed. Without JavaScript there is none.

export {};

const SVG = 'http://www.w3.org/2000/svg';

for (const input of document.querySelectorAll<HTMLInputElement>('input[type=password][data-reveal]')) addButton(input);

function addButton(input: HTMLInputElement): void {
  const button = document.createElement('button');
  const label = input.dataset['reveal'] ?? '';
  button.type = 'button';
  button.className = 'reveal';
  button.title = label;
  button.setAttribute('aria-label', label);
  button.setAttribute('aria-controls', input.id);
  button.append(createEye());
  const show = (isShown: boolean) => {
    input.type = isShown ? 'text' : 'password';
    button.setAttribute('aria-pressed', String(isShown));
  };
  button.addEventListener('click', () => show(button.getAttribute('aria-pressed') === 'false'));
  // Sent or left as a password, so that no browser offers it as text that was once typed.
  input.form?.addEventListener('submit', () => show(false));
  window.addEventListener('pagehide', () => show(false));
  show(false);
  input.after(button);
}

/** An eye, and the stroke through it that the style sheet shows while the button is pressed. */
function createEye(): SVGElement {
  const eye = create('svg', { viewBox: '0 0 24 24', 'aria-hidden': 'true' });
  eye.append(
    create('path', { d: 'M2 12s3.6-6.5 10-6.5S22 12 22 12s-3.6 6.5-10 6.5S2 12 2 12z' }),
    create('circle', { cx: '12', cy: '12', r: '3' }),
    create('path', { d: 'M4 20 20 4', class: 'stroke' }),
  );
  return eye;
}

function create(name: string, attributes: Record<string, string>): SVGElement {
  const element = document.createElementNS(SVG, name) as SVGElement;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
