//! Chinese (simplified).

use crate::base::secret::Secret;
use crate::base::text::Locale;
use crate::config::Shop;
use crate::delivery::cases::CaseAction;
use crate::mail::facts::{Access, Content, DeliveredLine};
use crate::mail::texts::wording::{Delivered, File, Manner, Part, Wording};
use crate::mail::texts::{line, unlinked};

pub(super) const MANNER: Manner =
    Manner { hello: "您好：", help: "客服", download: "下载", colon: "：" };

pub(super) fn wording(shop: &Shop, content: &Content) -> Wording {
    let name = line(&shop.name);
    let (subject, parts) = match content {
        Content::OrderDelivered { access, lines, again } => {
            let number = &access.number;
            let subject = match again {
                false => format!("订单 {number}：您购买的商品已送达"),
                true => format!("订单 {number}：应您的要求再次发送"),
            };
            let mut parts = vec![Part::words(format!("感谢您的订单 {number}。"))];
            parts.extend(lines.iter().map(delivered));
            (subject, with_way_back(parts, access))
        }
        Content::GiftDelivered { name: to, giver, message, token, lines, again } => {
            let subject = match again {
                false => format!("{name}：您收到一份礼物"),
                true => format!("{name}：您的礼物（再次发送）"),
            };
            let giver = giver.as_deref().map_or("有人".into(), |giver| unlinked(&line(giver)));
            let to = unlinked(&line(to));
            let mut parts =
                vec![Part::words(format!("{giver} 在 {name} 为 {to} 购买了一份礼物，现已送达。"))];
            if let Some(message) = message {
                parts.push(Part::words("以下留言来自赠送者，并非本店所写："));
                parts.push(Part::Quote(message.clone()));
            }
            parts.extend(lines.iter().map(delivered));
            parts.push(Part::words(
                "您可随时用以下令牌查看礼物。持有令牌者即可看到礼物，请妥善保管。我们不会向您索要款项或密码。",
            ));
            parts.push(Part::Facts(vec![("礼物令牌", token.clone())]));
            (subject, parts)
        }
        Content::GiftSent { access, name: to, email } => {
            let number = &access.number;
            let parts = vec![Part::words(format!(
                "订单 {number} 的礼物已发送给 {}（{email}）。只有收礼人可以查看商品内容。",
                unlinked(&line(to))
            ))];
            (format!("订单 {number}：您的礼物已送出"), with_way_back(parts, access))
        }
        Content::OrderAwaitingStock { access, lines } => {
            let number = &access.number;
            let parts = vec![
                Part::words(format!("我们已收到订单 {number} 的付款。其中部分商品暂时缺货：")),
                waiting(lines),
                Part::words("系统已为您保留排队顺序。到货后会立即发送并再次通知您，您无需任何操作。"),
            ];
            (format!("订单 {number}：已付款，等待补货"), with_way_back(parts, access))
        }
        Content::OrderAwaitingPerson { access, lines } => {
            let number = &access.number;
            let parts = vec![
                Part::words(format!(
                    "我们已收到订单 {number} 的付款。其中部分商品无法自动交付，需要工作人员处理："
                )),
                waiting(lines),
                Part::words("我们已通知工作人员。处理完成后会立即发送并再次通知您，您无需任何操作。"),
            ];
            (format!("订单 {number}：已付款，工作人员正在处理"), with_way_back(parts, access))
        }
        Content::DeliveryReplaced { access, lines } => {
            let number = &access.number;
            let mut parts =
                vec![Part::words(format!("以下是订单 {number} 中部分商品的更换件。原先交付的内容已失效。"))];
            parts.extend(lines.iter().map(delivered));
            (format!("订单 {number}：更换件已送达"), with_way_back(parts, access))
        }
        Content::ReplacementAwaited { access, lines } => {
            let number = &access.number;
            let note = |(title, count): &(String, i64)| (title.clone(), format!("（待更换 {count} 件）"));
            let parts = vec![
                Part::words(format!("订单 {number} 的部分商品正在更换：")),
                Part::Waiting(lines.iter().map(note).collect()),
                Part::words(
                    "更换件尚未到货，原先交付的内容已失效。排队顺序按您的付款时间保留。到货后会立即发送并再次通知您，您无需任何操作。",
                ),
            ];
            (format!("订单 {number}：更换件即将送达"), with_way_back(parts, access))
        }
        Content::CaseOpened { number, case, title, problem, wish, text } => {
            let fact = |text: &str| Secret::new(text);
            let mut parts = vec![
                Part::words("有买家报告您出售的商品无法使用。"),
                Part::Facts(vec![
                    ("商品", fact(title)),
                    ("订单", fact(number)),
                    ("问题", fact(problem)),
                    ("期望", fact(wish)),
                    ("编号", fact(case)),
                ]),
            ];
            parts.extend(text.as_deref().map(|text| Part::Quote(text.to_owned())));
            parts.push(Part::words("请在售后页面回复。长时间未回复的报告会转交店铺工作人员。"));
            (format!("订单 {number}：买家报告了问题"), parts)
        }
        Content::CaseAnswered { access, title, action, text } => {
            let number = &access.number;
            let done = match action {
                CaseAction::Replace => "商品已更换，更换件将另行发送邮件。",
                CaseAction::Refund => "该商品的款项将退还给您，退款完成后会另行通知。",
                CaseAction::Reject => "未作任何更改。",
                CaseAction::Help => "如仍未解决，请在订单页面再次报告。",
            };
            let parts = vec![
                Part::words(format!("您就订单 {number} 中的 {} 提交的报告已有回复：", line(title))),
                Part::Quote(text.clone()),
                Part::words(done),
            ];
            (format!("订单 {number}：您的报告已有回复"), with_way_back(parts, access))
        }
        Content::RefundMade { access, amount } => {
            let number = &access.number;
            let parts = vec![Part::words(format!(
                "订单 {number} 已退款 {amount}。款项将按原支付方式退回，到账时间视支付方式而定，可能需要数日。\
                 已退款的商品不能再使用。"
            ))];
            (format!("订单 {number}：已退款 {amount}"), with_way_back(parts, access))
        }
        Content::RefundFailed { access, amount } => {
            let number = &access.number;
            let parts = vec![Part::words(format!(
                "此前通知您的订单 {number} 的退款 {amount} 未能完成：银行或支付机构已将款项退回给我们。您的款项没有丢失，\
                 我们会设法以其他方式退还；如您的银行卡或账户有变更，请告知我们。"
            ))];
            (format!("订单 {number}：退款 {amount} 未能完成"), with_way_back(parts, access))
        }
        Content::OrderAccessCode { code } => (
            format!("{name}：查询订单的验证码"),
            coded("使用以下验证码可以查看用此邮箱下的订单：", code, &warning("30 分钟内有效")),
        ),
        Content::EmailCode { code } => (
            format!("{name}：下单验证码"),
            coded("下单时请使用以下验证码确认此邮箱属于您：", code, &warning("短时间内有效")),
        ),
        Content::ConfirmEmail { code } => (
            format!("{name}：请确认您的邮箱"),
            coded(
                "请使用以下验证码确认此邮箱属于您：",
                code,
                "如果您没有注册，请忽略本邮件，也不要把验证码告诉任何人：它会确认他人设置的密码。",
            ),
        ),
        Content::AlreadyRegistered => (
            format!("您在 {name} 已有账户"),
            vec![Part::words(
                "有人（可能是您本人）尝试用此邮箱注册。您已有账户：请直接登录；如忘记密码，可申请重设。账户没有任何改动。",
            )],
        ),
        Content::PasswordReset { code } => (
            format!("{name}：重设密码的验证码"),
            coded("使用以下验证码设置新密码：", code, &warning("短时间内有效")),
        ),
        Content::PasswordChanged => (
            format!("您在 {name} 的密码已更改"),
            vec![Part::words("您的账户密码已更改，其他设备已退出登录。如果不是您本人操作，请立即重设密码。")],
        ),
        Content::TaskOpened { kind, task, number } => {
            let mut facts = vec![("类型", Secret::new(kind.as_str())), ("任务", Secret::new(task.as_str()))];
            facts.extend(number.as_ref().map(|number| ("订单", Secret::new(number.as_str()))));
            let parts = vec![
                Part::words("出现了需要人工处理的情况。"),
                Part::Facts(facts),
                Part::words("此任务未结束前，同一问题不再另行通知。"),
            ];
            (format!("有任务需要人工处理：{}", line(kind)), parts)
        }
    };
    Wording { subject, parts }
}

fn coded(words: &str, code: &Secret, warning: &str) -> Vec<Part> {
    vec![Part::words(words), Part::Code(code.clone()), Part::words(warning)]
}

fn waiting(lines: &[(String, i64)]) -> Part {
    let note = |(title, count): &(String, i64)| (title.clone(), format!("（待发 {count} 件）"));
    Part::Waiting(lines.iter().map(note).collect())
}

fn delivered(item: &DeliveredLine) -> Part {
    let files = item.files.iter().map(|file| File {
        name: file.name.clone(),
        url: file.url.clone(),
        until: format!("（有效期至 {}）", file.expires_at.format("%Y-%m-%d %H:%M UTC")),
    });
    let mut notes = Vec::new();
    if item.on_the_page > 0 && item.files.is_empty() {
        notes.push("请在页面上查看。".to_owned());
    }
    if item.waiting > 0 {
        notes.push(format!("待发 {} 件", item.waiting));
    }
    Part::Goods(Delivered {
        title: item.title.clone(),
        label: item.label(Locale::Zh),
        keys: item.keys.clone(),
        files: files.collect(),
        notes,
    })
}

fn with_way_back(mut parts: Vec<Part>, access: &Access) -> Vec<Part> {
    match &access.token {
        Some(token) => {
            parts.push(Part::words(
                "您可随时用订单号和以下访问令牌查看此订单。持有令牌者即可看到您购买的内容，请妥善保管。",
            ));
            let number = Secret::new(access.number.as_str());
            parts.push(Part::Facts(vec![("订单号", number), ("令牌", token.clone())]));
        }
        None => parts.push(Part::words(format!("登录后可在“我的订单”中查看订单 {}。", access.number))),
    }
    parts
}

fn warning(time: &str) -> String {
    format!("验证码{time}。如果不是您本人申请，请忽略本邮件，并且不要把验证码告诉任何人。")
}
