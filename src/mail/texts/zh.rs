//! Chinese (simplified).

use crate::base::text::Locale;
use crate::config::Shop;
use crate::delivery::cases::CaseAction;
use crate::mail::facts::{Access, Content, DeliveredLine};
use crate::mail::texts::{Text, line};

pub(super) fn text(shop: &Shop, content: &Content) -> Text {
    let name = line(&shop.name);
    let (subject, body) = match content {
        Content::OrderDelivered { access, lines, again } => {
            let number = &access.number;
            let subject = match again {
                false => format!("订单 {number}：您购买的商品已送达"),
                true => format!("订单 {number}：应您的要求再次发送"),
            };
            let goods: String = lines.iter().map(delivered).collect();
            (subject, format!("感谢您的订单 {number}。\n\n{goods}{}", way_back(access)))
        }
        Content::OrderAwaitingStock { access, lines } => {
            let number = &access.number;
            let waiting: String =
                lines.iter().map(|(title, count)| format!("  {}（待发 {count} 件）\n", line(title))).collect();
            let body = format!(
                "我们已收到订单 {number} 的付款。其中部分商品暂时缺货：\n\n{waiting}\n\
                 系统已为您保留排队顺序。到货后会立即发送并再次通知您，您无需任何操作。\n\n{}",
                way_back(access)
            );
            (format!("订单 {number}：已付款，等待补货"), body)
        }
        Content::OrderAwaitingPerson { access, lines } => {
            let number = &access.number;
            let waiting: String =
                lines.iter().map(|(title, count)| format!("  {}（待发 {count} 件）\n", line(title))).collect();
            let body = format!(
                "我们已收到订单 {number} 的付款。其中部分商品无法自动交付，需要工作人员处理：\n\n{waiting}\n\
                 我们已通知工作人员。处理完成后会立即发送并再次通知您，您无需任何操作。\n\n{}",
                way_back(access)
            );
            (format!("订单 {number}：已付款，工作人员正在处理"), body)
        }
        Content::DeliveryReplaced { access, lines } => {
            let number = &access.number;
            let goods: String = lines.iter().map(delivered).collect();
            let body = format!(
                "以下是订单 {number} 中部分商品的更换件。原先交付的内容已失效。\n\n{goods}{}",
                way_back(access)
            );
            (format!("订单 {number}：更换件已送达"), body)
        }
        Content::ReplacementAwaited { access, lines } => {
            let number = &access.number;
            let waiting: String =
                lines.iter().map(|(title, count)| format!("  {}（待更换 {count} 件）\n", line(title))).collect();
            let body = format!(
                "订单 {number} 的部分商品正在更换：\n\n{waiting}\n更换件尚未到货，原先交付的内容已失效。\
                 排队顺序按您的付款时间保留。到货后会立即发送并再次通知您，您无需任何操作。\n\n{}",
                way_back(access)
            );
            (format!("订单 {number}：更换件即将送达"), body)
        }
        Content::CaseOpened { number, case, title, problem, wish, text } => {
            let words = text.as_deref().map(|text| format!("\n{}\n", quoted(text))).unwrap_or_default();
            let body = format!(
                "有买家报告您出售的商品无法使用。\n\n  商品：{}\n  订单：{number}\n  问题：{}\n  期望：{}\n  \
                 编号：{case}\n{words}\n请在售后页面回复。长时间未回复的报告会转交店铺工作人员。\n\n",
                line(title),
                line(problem),
                line(wish)
            );
            (format!("订单 {number}：买家报告了问题"), body)
        }
        Content::CaseAnswered { access, title, action, text } => {
            let number = &access.number;
            let done = match action {
                CaseAction::Replace => "商品已更换，更换件将另行发送邮件。",
                CaseAction::Refund => "该商品的款项将退还给您，退款完成后会另行通知。",
                CaseAction::Reject => "未作任何更改。",
                CaseAction::Help => "如仍未解决，请在订单页面再次报告。",
            };
            let body = format!(
                "您就订单 {number} 中的 {} 提交的报告已有回复：\n\n{}\n\n{done}\n\n{}",
                line(title),
                quoted(text),
                way_back(access)
            );
            (format!("订单 {number}：您的报告已有回复"), body)
        }
        Content::RefundMade { access, amount } => {
            let number = &access.number;
            let body = format!(
                "订单 {number} 已退款 {amount}。款项将按原支付方式退回，到账时间视支付方式而定，可能需要数日。\
                 已退款的商品不能再使用。\n\n{}",
                way_back(access)
            );
            (format!("订单 {number}：已退款 {amount}"), body)
        }
        Content::RefundFailed { access, amount } => {
            let number = &access.number;
            let body = format!(
                "此前通知您的订单 {number} 的退款 {amount} 未能完成：银行或支付机构已将款项退回给我们。您的款项没有丢失，\
                 我们会设法以其他方式退还；如您的银行卡或账户有变更，请告知我们。\n\n{}",
                way_back(access)
            );
            (format!("订单 {number}：退款 {amount} 未能完成"), body)
        }
        Content::OrderAccessCode { code } => (
            format!("{name}：查询订单的验证码"),
            format!(
                "使用以下验证码可以查看用此邮箱下的订单：\n\n  {}\n\n{}",
                code.expose(),
                warning("30 分钟内有效")
            ),
        ),
        Content::EmailCode { code } => (
            format!("{name}：下单验证码"),
            format!("下单时请使用以下验证码确认此邮箱属于您：\n\n  {}\n\n{}", code.expose(), warning("短时间内有效")),
        ),
        Content::ConfirmEmail { code } => (
            format!("{name}：请确认您的邮箱"),
            format!(
                "请使用以下验证码确认此邮箱属于您：\n\n  {}\n\n如果您没有注册，请忽略本邮件，也不要把验证码告诉任何人：它会确认他人设置的密码。\n\n",
                code.expose()
            ),
        ),
        Content::AlreadyRegistered => (
            format!("您在 {name} 已有账户"),
            "有人（可能是您本人）尝试用此邮箱注册。您已有账户：请直接登录；如忘记密码，可申请重设。账户没有任何改动。\n\n"
                .into(),
        ),
        Content::PasswordReset { code } => (
            format!("{name}：重设密码的验证码"),
            format!("使用以下验证码设置新密码：\n\n  {}\n\n{}", code.expose(), warning("短时间内有效")),
        ),
        Content::PasswordChanged => (
            format!("您在 {name} 的密码已更改"),
            "您的账户密码已更改，其他设备已退出登录。如果不是您本人操作，请立即重设密码。\n\n".into(),
        ),
        Content::TaskOpened { kind, task, number } => {
            let order = number.as_ref().map(|n| format!("  订单：{n}\n")).unwrap_or_default();
            (
                format!("有任务需要人工处理：{}", line(kind)),
                format!(
                    "出现了需要人工处理的情况。\n\n  类型：{}\n  任务：{}\n{order}\n\
                     此任务未结束前，同一问题不再另行通知。\n\n",
                    line(kind),
                    line(task)
                ),
            )
        }
    };
    Text { subject, body: format!("您好：\n\n{body}{}", greeting(shop)) }
}

fn delivered(item: &DeliveredLine) -> String {
    let mut text = format!("{}\n", line(&item.title));
    let label = item.label(Locale::Zh);
    for key in &item.keys {
        text.push_str(&format!("  {label}：{}\n", key.expose()));
    }
    for file in &item.files {
        let until = file.expires_at.format("%Y-%m-%d %H:%M UTC");
        text.push_str(&format!("  {}\n  {}\n  （有效期至 {until}）\n", line(&file.name), file.url.expose()));
    }
    if item.on_the_page > 0 && item.files.is_empty() {
        text.push_str("  请在订单页面查看。\n");
    }
    if item.waiting > 0 {
        text.push_str(&format!("  待发 {} 件\n", item.waiting));
    }
    text.push('\n');
    text
}

/// People's own words, set apart so that they cannot pretend to be a part of the mail.
fn quoted(text: &str) -> String {
    text.lines().map(|words| format!("  | {}", line(words))).collect::<Vec<_>>().join("\n")
}

fn way_back(access: &Access) -> String {
    match &access.token {
        Some(token) => format!(
            "您可随时用订单号和以下访问令牌查看此订单。持有令牌者即可看到您购买的内容，请妥善保管。\n\n  订单号：{}\n  令牌：{}\n\n",
            access.number,
            token.expose()
        ),
        None => format!("登录后可在“我的订单”中查看订单 {}。\n\n", access.number),
    }
}

fn warning(time: &str) -> String {
    format!("验证码{time}。如果不是您本人申请，请忽略本邮件，并且不要把验证码告诉任何人。\n\n")
}

fn greeting(shop: &Shop) -> String {
    let help = shop.support_email.as_ref().map(|a| format!("\n客服：{a}")).unwrap_or_default();
    format!("-- \n{}{help}\n", line(&shop.name))
}
