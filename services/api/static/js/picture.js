// An image that changes at once: the new picture is decoded before it takes the place of the old one, so that what is
// said about it (its number, its time) can change in the same moment.

export class Picture {
  #address = null;

  constructor(image) {
    this.image = image;
  }

  async show(blob) {
    const address = URL.createObjectURL(blob);
    const fresh = this.image.cloneNode(false);
    fresh.src = address;
    try {
      await fresh.decode();
    } catch (error) {
      URL.revokeObjectURL(address);
      throw error;
    }
    fresh.hidden = false;
    this.image.replaceWith(fresh);
    this.image = fresh;
    this.#release();
    this.#address = address;
  }

  clear() {
    this.image.removeAttribute("src");
    this.image.hidden = true;
    this.#release();
  }

  #release() {
    if (this.#address) URL.revokeObjectURL(this.#address);
    this.#address = null;
  }
}
