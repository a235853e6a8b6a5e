/**
 * Owns: that a picture is only decoded when it has no more pixels than the window has memory for, and stands still for
 * whoever wants that. Called by: file cards, details, the viewer. Calls: the browser's decoder.
 */

/** 256 MB when decoded. A photograph of 48 million pixels and a panorama fit; a few kilobytes can claim far more. */
export const maxPixels = 64_000_000;

/** As far as its head says, nothing of it has been decoded. */
export type LoadedPicture =
  | { readonly kind: 'ready'; readonly width: number; readonly height: number; readonly still: Blob | null }
  | { readonly kind: 'too-many-pixels'; readonly width: number; readonly height: number }
  | { readonly kind: 'broken' };

function isTooLarge({ naturalWidth, naturalHeight }: HTMLImageElement): boolean {
  return naturalWidth * naturalHeight > maxPixels;
}

function wantsStillness(): boolean {
  return matchMedia('(prefers-reduced-motion: reduce)').matches;
}

/** Only the head of the file is read for it. */
async function isAnimated(url: string): Promise<boolean> {
  const { body, headers } = await fetch(url);
  const type = headers.get('Content-Type') ?? '';
  if (body === null || !(await ImageDecoder.isTypeSupported(type))) return false;
  const decoder = new ImageDecoder({ data: body, type });
  try {
    await decoder.tracks.ready;
    return decoder.tracks.selectedTrack?.animated === true;
  } finally {
    decoder.close();
  }
}

/** The first picture of those that move, for whoever wants nothing to move; null: it may be shown as it is. */
async function stillOf(image: HTMLImageElement, url: string): Promise<Blob | null> {
  if (!wantsStillness() || !('ImageDecoder' in globalThis) || url.startsWith('data:')) return null;
  if (!(await isAnimated(url))) return null;
  const first = await createImageBitmap(image);
  const canvas = new OffscreenCanvas(first.width, first.height);
  canvas.getContext('2d')?.drawImage(first, 0, 0);
  first.close();
  return canvas.convertToBlob({ type: 'image/png' });
}

/** Reads the head of a picture, then decodes it in another thread. */
export async function loadPicture(url: string): Promise<LoadedPicture> {
  // What is not in the document is not decoded when it has come.
  const image = new Image();
  try {
    await new Promise((resolve, reject) => {
      image.onload = resolve;
      image.onerror = reject;
      image.src = url;
    });
    const { naturalWidth: width, naturalHeight: height } = image;
    if (isTooLarge(image)) return { kind: 'too-many-pixels', width, height };
    await image.decode();
    return { kind: 'ready', width, height, still: await stillOf(image, url).catch(() => null) };
  } catch {
    return { kind: 'broken' };
  }
}

/**
 * For an `<img>`: what cannot be seen is not decoded, so it is hidden until its head has said that it is small enough.
 * `refuse`: it is not.
 */
export function boundedPicture(refuse: () => void): (image: HTMLImageElement) => () => void {
  return (image) => {
    const url = image.src;
    let still = '';
    const receiveHead = (): void => {
      if (isTooLarge(image)) {
        refuse();
        return;
      }
      if (still !== '' || !wantsStillness()) {
        image.style.visibility = '';
        return;
      }
      stillOf(image, url)
        .catch(() => null)
        .then((blob) => {
          image.style.visibility = '';
          if (blob === null || !image.isConnected) return;
          still = URL.createObjectURL(blob);
          image.src = still;
        })
        .catch(refuse);
    };
    image.style.visibility = 'hidden';
    image.addEventListener('load', receiveHead);
    if (image.complete && image.naturalWidth > 0) receiveHead();
    return () => {
      image.removeEventListener('load', receiveHead);
      if (still !== '') URL.revokeObjectURL(still);
    };
  };
}
