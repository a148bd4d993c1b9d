//! The page: one column of at most 600 pixels, readable without pictures, by light and by dark. Styles are written where
//! they are used, because many mail programs keep no others; the colours of the dark are in a style sheet, which those
//! that know the dark read. Nothing is loaded but the shop's logo, and nothing is a link but the links to files.

use zeroize::Zeroizing;

use crate::base::secret::Secret;
use crate::base::text::Locale;
use crate::config::Shop;
use crate::mail::texts::escape::{self, line};
use crate::mail::texts::wording::{Delivered, File, Manner, Part, Wording};

const FONT: &str = "font-family:-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,'Helvetica Neue',Arial,\
    'PingFang SC','Hiragino Sans GB','Microsoft YaHei','Noto Sans CJK SC',sans-serif";
const MONO: &str = "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'Liberation Mono',monospace";

const HEAD: &str = "\
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">
<meta name=\"color-scheme\" content=\"light dark\">
<meta name=\"supported-color-schemes\" content=\"light dark\">
<meta name=\"format-detection\" content=\"telephone=no,date=no,address=no,email=no,url=no\">
<style>
:root{color-scheme:light dark;supported-color-schemes:light dark}
@media (prefers-color-scheme:dark){
.page{background:#121417!important}
.card{background:#1c1f24!important;border-color:#343a42!important}
.ink{color:#e8eaed!important}
.mute{color:#a8b0ba!important}
.rule{border-color:#343a42!important}
.key{background:#0e1013!important;border-color:#454c56!important;color:#f1f3f4!important}
}
</style>
";

/// What a page is written into. Text goes in escaped; only the pieces of this file do not.
struct Markup(Zeroizing<String>);

impl Markup {
    fn raw(&mut self, markup: &str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        escape::html(&mut self.0, text);
        self
    }

    /// One element of this class and style around a text.
    fn element(&mut self, tag: &str, class: &str, style: &str, text: &str) -> &mut Self {
        self.raw(&format!("<{tag} class=\"{class}\" dir=\"auto\" style=\"{style}\">")).text(text);
        self.raw(&format!("</{tag}>\n"))
    }

    /// What is to be copied: a click selects all of it, and it may break anywhere.
    fn copied(&mut self, text: &Secret, size: &str) -> &mut Self {
        self.raw(&format!(
            "<pre class=\"key\" dir=\"ltr\" style=\"margin:0 0 12px;padding:10px 12px;background:#f6f7f9;\
             border:1px solid #d0d5dc;border-radius:6px;color:#16181d;{MONO};font-size:{size};line-height:1.5;\
             white-space:pre-wrap;word-break:break-all;overflow-wrap:anywhere;-webkit-user-select:all;user-select:all\">"
        ));
        // A page drops the line break that follows the tag.
        if text.expose().starts_with('\n') {
            self.raw("\n");
        }
        self.text(text.expose()).raw("</pre>\n")
    }
}

pub(super) fn render(shop: &Shop, locale: Locale, manner: &Manner, wording: &Wording) -> Zeroizing<String> {
    let language = match locale {
        Locale::En => "en",
        Locale::Zh => "zh-Hans",
    };
    let on_colour = readable_on(&shop.colour);
    let mut page = Markup(Zeroizing::new(format!("<!doctype html>\n<html lang=\"{language}\">\n<head>\n")));
    page.raw(HEAD).raw("<title>").text(&wording.subject).raw("</title>\n</head>\n");
    page.raw("<body class=\"page\" style=\"margin:0;padding:0;background:#eef0f3\">\n");
    page.raw(
        "<table role=\"presentation\" class=\"page\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" \
         style=\"background:#eef0f3\"><tr><td align=\"center\" style=\"padding:16px 8px\">\n\
         <table role=\"presentation\" class=\"card\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" \
         style=\"max-width:600px;table-layout:fixed;background:#ffffff;border:1px solid #dde1e6;border-radius:10px;\
         border-collapse:separate;overflow:hidden\">\n",
    );
    page.raw(&format!(
        "<tr><td style=\"padding:16px 20px;background:{};color:{on_colour};{FONT};",
        shop.colour
    ));
    page.raw("font-size:18px;line-height:1.4;font-weight:600\">");
    head(&mut page, shop, on_colour);
    page.raw("</td></tr>\n").raw(&format!(
        "<tr><td class=\"ink\" style=\"padding:20px 20px 8px;color:#16181d;{FONT};font-size:16px;line-height:1.55;\
         overflow-wrap:anywhere\">\n"
    ));
    page.element("p", "ink", PARAGRAPH, manner.hello);
    for part in &wording.parts {
        write(&mut page, manner, part);
    }
    page.raw("</td></tr>\n").raw(&format!(
        "<tr><td class=\"mute rule\" dir=\"auto\" style=\"padding:12px 20px 16px;border-top:1px solid #e3e6ea;color:#5b6470;{FONT};\
         font-size:13px;line-height:1.5;overflow-wrap:anywhere\">"
    ));
    page.text(&line(&shop.name));
    if let Some(address) = &shop.support_email {
        page.raw("<br>").text(manner.help).text(manner.colon).text(address);
    }
    page.raw("</td></tr>\n</table>\n</td></tr></table>\n</body>\n</html>\n");
    page.0
}

const PARAGRAPH: &str = "margin:0 0 14px;color:#16181d";

/// The shop's name, by its logo where it has one: a picture that is not shown leaves its name.
fn head(page: &mut Markup, shop: &Shop, on_colour: &str) {
    let name = line(&shop.name);
    match &shop.logo_url {
        Some(url) => {
            page.raw("<img src=\"").text(url).raw("\" alt=\"").text(&name);
            let style = "display:block;border:0;height:32px;width:auto;max-width:100%";
            page.raw(&format!(
                "\" height=\"32\" style=\"{style};color:{on_colour};font-size:18px;font-weight:600\">"
            ))
        }
        None => page.raw("<bdi>").text(&name).raw("</bdi>"),
    };
}

fn write(page: &mut Markup, manner: &Manner, part: &Part) {
    match part {
        Part::Words(words) => {
            page.element("p", "ink", PARAGRAPH, words);
        }
        Part::Quote(words) => {
            let style = "margin:0 0 14px;padding:2px 14px;border-left:3px solid #b6bdc7;color:#16181d;white-space:pre-wrap";
            page.element("blockquote", "ink rule", style, &escape::unlinked(words));
        }
        Part::Code(code) => {
            page.copied(code, "20px");
        }
        Part::Goods(goods) => write_goods(page, manner, goods),
        Part::Waiting(lines) => {
            page.raw("<ul style=\"margin:0 0 14px;padding:0 0 0 20px\">\n");
            for (title, note) in lines {
                page.raw("<li class=\"ink\" style=\"margin:0 0 4px;color:#16181d\"><bdi>").text(&line(title));
                page.raw("</bdi><span class=\"mute\" style=\"color:#5b6470\">")
                    .text(note)
                    .raw("</span></li>\n");
            }
            page.raw("</ul>\n");
        }
        Part::Facts(facts) => {
            for (name, value) in facts {
                page.element("div", "mute", LABEL, name).copied(value, "14px");
            }
        }
    }
}

const LABEL: &str = "margin:0 0 4px;color:#5b6470;font-size:13px;line-height:1.4";
const NOTE: &str = "margin:0 0 12px;color:#5b6470;font-size:14px";

fn write_goods(page: &mut Markup, manner: &Manner, goods: &Delivered) {
    page.raw(
        "<div class=\"rule\" style=\"margin:0 0 16px;padding:14px 0 0;border-top:1px solid #e3e6ea\">\n",
    );
    let title = "margin:0 0 8px;color:#16181d;font-size:17px;line-height:1.4;font-weight:600";
    page.element("h2", "ink", title, &line(&goods.title));
    if !goods.keys.is_empty() && !goods.label.is_empty() {
        page.element("div", "mute", LABEL, goods.label);
    }
    for key in &goods.keys {
        // A block of text has lines of 64 to 76 characters, which fit in small print.
        let size = if key.expose().contains('\n') { "12px" } else { "15px" };
        page.copied(key, size);
    }
    for file in &goods.files {
        write_file(page, manner, file);
    }
    for note in &goods.notes {
        page.element("p", "mute", NOTE, note);
    }
    page.raw("</div>\n");
}

/// A link that is a button in every mail program: the colours are fixed, so that they can be read in the dark as well.
fn write_file(page: &mut Markup, manner: &Manner, file: &File) {
    page.element("p", "ink", "margin:0 0 6px;color:#16181d", &line(&file.name));
    page.raw("<p style=\"margin:0 0 6px\"><a href=\"").text(file.url.expose());
    page.raw(
        "\" style=\"display:inline-block;padding:9px 16px;background:#1d4ed8;border-radius:6px;color:#ffffff;\
         text-decoration:none;font-weight:600;font-size:15px\">",
    );
    page.text(manner.download).raw("</a></p>\n").element("p", "mute", NOTE, &file.until);
}

/// Black or white, whichever is easier to read on a colour `#rrggbb` (WCAG 2, relative luminance).
fn readable_on(colour: &str) -> &'static str {
    let channel = |at: usize| -> f64 {
        let byte =
            colour.get(at..at + 2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).unwrap_or_default();
        let part = f64::from(byte) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    let luminance = 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
    // Where the contrast with white (1.05 / (L + 0.05)) equals that with black ((L + 0.05) / 0.05).
    if luminance > 0.179 { "#000000" } else { "#ffffff" }
}
