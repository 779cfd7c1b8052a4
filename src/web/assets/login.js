/*
 * The password, where one is set.
 */

import { post } from "./api.js";
import { during } from "./dialog.js";
import { h, setAttribute, setText, show } from "./dom.js";

/** @param {() => void} whenIn */
export function loginPage(whenIn) {
  const password = h("input", {
    type: "password",
    id: "password",
    name: "password",
    autocomplete: "current-password",
    required: true,
    maxlength: "1024",
    "aria-describedby": "login-error",
  });
  const wrong = h("p", { id: "login-error", class: "login-error", role: "alert", hidden: true });
  const enter = h("button", { type: "submit", class: "button primary", text: "Log in" });
  const form = h(
    "form",
    { class: "login panel" },
    h("h1", { tabindex: "-1", text: "Log in" }),
    h("p", { class: "muted", text: "The status pages of this forwarder have a password." }),
    // A password manager wants to know whose it is.
    h("input", {
      type: "text",
      name: "username",
      autocomplete: "username",
      value: "dicomforwarder",
      hidden: true,
      readonly: true,
    }),
    h("div", { class: "field" }, h("label", { for: "password", text: "Password" }), password),
    wrong,
    enter,
    h(
      "p",
      { class: "muted small" },
      "Forgotten? On the machine itself, ",
      h("code", { text: "dicomforwarder web-password" }),
      " sets a new one.",
    ),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    during(enter, async () => {
      try {
        await post("login", { password: password.value });
      } catch (error) {
        show(wrong, true);
        setText(wrong, error.message);
        setAttribute(password, "aria-invalid", "true");
        password.select();
        password.focus();
        return;
      }
      password.value = "";
      show(wrong, false);
      setAttribute(password, "aria-invalid", null);
      whenIn();
    });
  });
  return {
    title: "Log in",
    element: h("div", { class: "page" }, form),
    enter: () => password.focus(),
  };
}
