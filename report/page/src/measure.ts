// How wide a text will be, so that charts leave room for their labels and shorten what cannot fit.

let context: CanvasRenderingContext2D | null = null;

export const kLabelSize = 12.5; // pixels, of all labels in charts

export function textWidth(text: string, weight = 400): number {
  context ??= document.createElement("canvas").getContext("2d");
  if (!context) return 0.6 * kLabelSize * text.length;
  context.font = `${weight} ${kLabelSize}px ${getComputedStyle(document.body).fontFamily}`;
  return context.measureText(text).width;
}

// The text, or as much of it as fits with an ellipsis at its end.
export function fit(text: string, width: number, weight = 400): string {
  if (textWidth(text, weight) <= width) return text;
  const characters = [...text];
  let low = 0;
  let high = characters.length;
  const shortened = (length: number): string => `${characters.slice(0, length).join("").trimEnd()}…`;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (textWidth(shortened(middle), weight) <= width) low = middle;
    else high = middle - 1;
  }
  return shortened(Math.max(1, low));
}
