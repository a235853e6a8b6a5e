/** Owns: what a screen reader is told next. Called by: app, views. Calls: nothing. */
export class Announcer {
  text = $state('');
  #turn = false;

  /** The same sentence twice has to be a change, or it is not read again. */
  say(text: string): void {
    this.#turn = !this.#turn;
    this.text = this.#turn ? text : `${text}\u00a0`;
  }
}
