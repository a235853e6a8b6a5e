/**
 * Owns: how large a picture is and where it lies on its stage, in pixels of the window from the middle.
 * Called by: PictureViewer.svelte, PictureStage.svelte. Calls: nothing.
 */
export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export const zoomStep = 1.25;
const middle: Point = { x: 0, y: 0 };
/** A picture of any size can be looked at so closely. */
const maxScale = 8;
/** Every picture has room for a double click to make it larger. */
const closer = 2;

export class PicturePlace {
  picture = $state.raw<Size>({ width: 0, height: 0 });
  stage = $state.raw<Size>({ width: 0, height: 0 });
  /** Null: it fits the stage. */
  #wanted = $state<number | null>(null);
  #offset = $state.raw<Point>(middle);

  readonly isThere = $derived(this.picture.width > 0);
  /** All of it is on the stage; a small one is as large as it is. */
  readonly fitting = $derived(
    !this.isThere || this.stage.width === 0
      ? 1
      : Math.min(1, this.stage.width / this.picture.width, this.stage.height / this.picture.height),
  );
  readonly scale = $derived(this.#wanted ?? this.fitting);
  readonly size = $derived<Size>({
    width: this.picture.width * this.scale,
    height: this.picture.height * this.scale,
  });
  /** Where its middle is. */
  readonly offset = $derived.by<Point>(() => ({
    x: within(this.#offset.x, (this.size.width - this.stage.width) / 2),
    y: within(this.#offset.y, (this.size.height - this.stage.height) / 2),
  }));
  readonly isFitting = $derived(this.#wanted === null);
  readonly canMove = $derived(
    this.size.width > this.stage.width + 0.5 || this.size.height > this.stage.height + 0.5,
  );
  readonly canGrow = $derived(this.isThere && this.scale < maxScale);
  readonly canShrink = $derived(this.scale > this.fitting);

  /** Another picture is to come. */
  clear(): void {
    this.picture = { width: 0, height: 0 };
    this.fit();
  }

  fit(): void {
    this.#wanted = null;
    this.#offset = middle;
  }

  /** A pixel of the picture is a pixel of the window. */
  showActualSize(at = middle): void {
    this.#zoomTo(1, at);
  }

  /** Between all of it and its own size; a small one becomes larger than that. */
  toggle(at: Point): void {
    if (!this.isFitting) this.fit();
    else this.#zoomTo(this.fitting < 1 ? 1 : closer, at);
  }

  /** What is at that point of the stage stays there. */
  zoomBy(factor: number, at = middle): void {
    this.#zoomTo(this.scale * factor, at);
  }

  moveBy(x: number, y: number): void {
    this.#offset = { x: this.offset.x + x, y: this.offset.y + y };
  }

  #zoomTo(wanted: number, at: Point): void {
    if (!this.isThere) return;
    const scale = Math.min(maxScale, wanted);
    if (scale <= this.fitting) {
      this.fit();
      return;
    }
    const ratio = scale / this.scale;
    const { x, y } = this.offset;
    this.#wanted = scale;
    this.#offset = { x: at.x - (at.x - x) * ratio, y: at.y - (at.y - y) * ratio };
  }
}

/** No edge of it comes further in than that of the stage. */
function within(offset: number, room: number): number {
  const most = Math.max(0, room);
  return Math.min(most, Math.max(-most, offset));
}
