// When charts are drawn: what the reader sees at once, the rest piece by piece right after it, so that a page of many
// charts opens and changes without a pause; and everything before it goes to paper, as wide as paper is.

export interface Canvas {
  key: string; // the same chart after a change of the view has the same
  box: HTMLElement;
  draw: (width: number) => SVGSVGElement;
  paper: number; // pixels that it is wide on paper
}

const kPiece = 30; // milliseconds of drawing between two looks at what the reader does
const kAhead = 0.5; // windows below the visible one that are drawn at once

const canvases = new Map<Element, Canvas>();
const widths = new Map<Canvas, number>(); // of what is drawn
const waiting = new Set<Canvas>();
const heights = new Map<string, number>(); // of a chart's last picture: the room that it keeps until it is drawn again
let timer = 0;
let onPaper = false;

function drawAt(canvas: Canvas, width: number): void {
  waiting.delete(canvas);
  if (width <= 0) return; // in a closed part: the observer sees it open
  const picture = canvas.draw(width);
  widths.set(canvas, width);
  heights.set(canvas.key, Number(picture.getAttribute("height")));
  canvas.box.style.minHeight = "";
  canvas.box.replaceChildren(picture);
}

const drawNow = (canvas: Canvas): void => drawAt(canvas, Math.floor(canvas.box.clientWidth));

function drawLater(): void {
  if (timer !== 0 || waiting.size === 0) return;
  timer = window.setTimeout(() => {
    timer = 0;
    const end = performance.now() + kPiece;
    for (const canvas of waiting) {
      drawNow(canvas);
      if (performance.now() > end) break;
    }
    drawLater();
  });
}

const observer = new ResizeObserver((entries) => {
  if (onPaper) return;
  for (const { target, contentRect } of entries) {
    const canvas = canvases.get(target);
    if (canvas && Math.floor(contentRect.width) !== widths.get(canvas)) waiting.add(canvas);
  }
  drawLater(); // outside the observer: drawing changes the height that it watches
});

export function addCanvas(canvas: Canvas): void {
  canvases.set(canvas.box, canvas);
  waiting.add(canvas);
  canvas.box.style.minHeight = `${heights.get(canvas.key) ?? 0}px`;
  observer.observe(canvas.box);
}

// Before the page is built anew: what stood there is no longer drawn.
export function forgetCanvases(): void {
  observer.disconnect();
  canvases.clear();
  widths.clear();
  waiting.clear();
}

export function drawWhatIsSeen(): void {
  const places = [...waiting].map((canvas) => ({ canvas, place: canvas.box.getBoundingClientRect() }));
  for (const { canvas, place } of places) {
    if (place.bottom >= 0 && place.top < (1 + kAhead) * innerHeight) drawNow(canvas);
  }
  drawLater();
}

export function drawAll(): void {
  for (const canvas of [...waiting]) drawNow(canvas);
}

export function drawForPaper(): void {
  onPaper = true;
  for (const canvas of canvases.values()) drawAt(canvas, canvas.box.clientWidth > 0 ? canvas.paper : 0);
}

export function drawForScreen(): void {
  onPaper = false;
  for (const canvas of canvases.values()) waiting.add(canvas);
  drawWhatIsSeen();
}
