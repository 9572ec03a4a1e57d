// Asks for the server's password; it is kept nowhere but in memory, by who gets it.

export class PasswordDialog {
  #dialog;
  #input;
  #told;

  /** Calls `onPassword(password)` for what is entered. */
  constructor(dialog, onPassword) {
    this.#dialog = dialog;
    this.#input = dialog.querySelector("input[type=password]");
    this.#told = dialog.querySelector("[role=alert]");
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#input.value === "") return;
      const password = this.#input.value;
      this.#input.value = "";
      this.#dialog.close();
      onPassword(password);
    });
  }

  /** Opens; says why if the last password was wrong. */
  ask(isWrong) {
    this.#told.textContent = isWrong ? "That is not the password." : "";
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#input.focus();
  }
}
