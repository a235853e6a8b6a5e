/** Owns: small pictures of pictures, made off the main thread. Called by: transfers. Calls: the browser's decoder. */

const decodable = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif', 'image/bmp']);
/** A larger file is not decoded for the sake of a thumbnail. */
const maxSourceBytes = 40_000_000;
const side = 240;
/** As base64 within the ceiling of the contract. */
const maxBytes = 20_000;
const qualities = [0.75, 0.55, 0.35];

/** A JPEG of at most 240 pixels as base64; null for what is no picture, or cannot be decoded. */
export async function picturePreview(file: File): Promise<string | null> {
  if (!decodable.has(file.type) || file.size > maxSourceBytes || !('OffscreenCanvas' in globalThis))
    return null;
  try {
    const whole = await createImageBitmap(file);
    const scale = Math.min(1, side / Math.max(whole.width, whole.height));
    const canvas = new OffscreenCanvas(
      Math.max(1, Math.round(whole.width * scale)),
      Math.max(1, Math.round(whole.height * scale)),
    );
    const context = canvas.getContext('2d');
    if (context === null) return null;
    // JPEG knows nothing of transparency.
    context.fillStyle = '#fff';
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(whole, 0, 0, canvas.width, canvas.height);
    whole.close();
    for (const quality of qualities) {
      const blob = await canvas.convertToBlob({ type: 'image/jpeg', quality });
      if (blob.size <= maxBytes) return toBase64(new Uint8Array(await blob.arrayBuffer()));
    }
    return null;
  } catch {
    return null;
  }
}

function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
