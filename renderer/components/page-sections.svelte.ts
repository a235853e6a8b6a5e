/**
 * Owns: which sections a page has, in their order, and which of them is being read. Called by: Section, SectionList and the
 * page around them. Calls: svelte.
 */
import { getContext, setContext } from 'svelte';

const KEY = 'page-sections';

interface PageSection {
  readonly id: string;
  readonly title: () => string;
  readonly element: HTMLElement;
}

export class PageSections {
  /** In the order of the page. */
  all = $state.raw<readonly PageSection[]>([]);
  /** The one that is read. */
  currentId = $state('');
  /** The page moves because a section was asked for. */
  #isGoing = false;

  /** Returns what takes it away again. */
  add(section: PageSection): () => void {
    this.all = [...this.all, section].sort((a, b) =>
      a.element.compareDocumentPosition(b.element) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1,
    );
    return () => {
      this.all = this.all.filter((one) => one !== section);
    };
  }

  /** Shows a section; it is the one that is read, also when it is too near to the end to come to the top. */
  show({ id, element }: PageSection): void {
    const before = element.getBoundingClientRect().top;
    element.scrollIntoView({ block: 'start' });
    this.#isGoing = element.getBoundingClientRect().top !== before;
    const heading = element.querySelector<HTMLElement>('h2');
    // The Tab key goes on from there.
    heading?.setAttribute('tabindex', '-1');
    heading?.focus({ preventScroll: true });
    this.currentId = id;
  }

  /** The page has been scrolled: the last section that has come to its top is read, at the end of the page the last one. */
  measure(page: HTMLElement): void {
    if (this.#isGoing) {
      this.#isGoing = false;
      return;
    }
    const edge = page.getBoundingClientRect().top + page.clientHeight / 4;
    const isAtEnd = page.scrollTop + page.clientHeight >= page.scrollHeight - 2 && page.scrollTop > 0;
    const begun = this.all.filter(({ element }) => element.getBoundingClientRect().top <= edge);
    this.currentId = (isAtEnd ? this.all : begun).at(-1)?.id ?? this.all[0]?.id ?? '';
  }
}

/** For the sections inside. */
export function setPageSections(): PageSections {
  return setContext(KEY, new PageSections());
}

/** Undefined where sections are not listed. */
export function getPageSections(): PageSections | undefined {
  return getContext<PageSections | undefined>(KEY);
}
